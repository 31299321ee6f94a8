"""Any server that speaks OpenAI's API, chat and completions, streamed.

:mod:`.options` are the keys, :mod:`.profiles` what is known of each server, :mod:`.probe` finds out
which one answers, :mod:`.request` says what is asked, :mod:`.stream` reads the answer,
:mod:`.client` translates what goes wrong, :mod:`.serve` runs a server (under :mod:`.supervisor`),
:mod:`.exo` is what exo has besides, and :mod:`.engine` the adapter.
"""

from pytest_llmbench.engines.openai.engine import OpenAIEngine
from pytest_llmbench.engines.openai.options import OpenAIOptions

__all__ = ["OpenAIEngine", "OpenAIOptions"]
