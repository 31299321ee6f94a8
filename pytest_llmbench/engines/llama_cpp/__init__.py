"""llama.cpp through llama-cpp-python: GGUF files on CPUs and GPUs.

Driven by llama.cpp's own functions, not by the class ``Llama``, whose loop costs more Python for
each token. Read in llama-cpp-python 0.3.36:

* A context keeps what it has seen; it is cleared before every round, so that a repeated prompt is
  processed again.
* A batch without outputs of its own gives the logits of its last token only, and taking a sample
  waits for the device: a stamp after it is exact on CPUs and GPUs.
* ``Llama`` has defaults that surprise (a context of 512 tokens, no GPU, half the processors, no
  flash attention). Here they are llama.cpp's own, and what they came to is recorded.
* A sampler's seed of 2³² − 1 means "random", and ``llama_perf_context`` says 1 where it counted 0.
"""

from pytest_llmbench.engines.llama_cpp.engine import LlamaCppEngine
from pytest_llmbench.engines.llama_cpp.library import survey
from pytest_llmbench.engines.llama_cpp.options import LlamaCppOptions

__all__ = ["LlamaCppEngine", "LlamaCppOptions", "survey"]
