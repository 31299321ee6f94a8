"""Ollama's own HTTP API: its nanosecond figures, loading and unloading, memory by ``/api/ps``.

:mod:`.options` are the keys, :mod:`.address` where the server is, :mod:`.client` speaks HTTP and
translates what goes wrong, :mod:`.answers` are the server's answers, :mod:`.model` is one model on
the server, :mod:`.cold` keeps rounds from being answered out of the prompt cache, :mod:`.request`
says what is asked, :mod:`.facts` what the model is, :mod:`.processes` finds the server's processes,
:mod:`.survey` tells the doctor of the server, and :mod:`.engine` is the adapter.
"""

from pytest_llmbench.engines.ollama.engine import OllamaEngine
from pytest_llmbench.engines.ollama.options import OllamaOptions
from pytest_llmbench.engines.ollama.survey import survey

__all__ = ["OllamaEngine", "OllamaOptions", "survey"]
