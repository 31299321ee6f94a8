"""Hugging Face transformers: any causal language model, plain, quantized, adapted or made up.

Four things make a variant: its weights (a checkpoint's, or random ones of the same shape), their
precision, bitsandbytes' quantization and a peft adapter. All four are part of its identity.
Nothing here imports torch before :meth:`TransformersEngine.start` or :func:`survey` does.
"""

from __future__ import annotations

from pytest_llmbench.engines.transformers.engine import TransformersEngine
from pytest_llmbench.engines.transformers.libraries import survey
from pytest_llmbench.engines.transformers.options import TransformersOptions

__all__ = ["TransformersEngine", "TransformersOptions", "survey"]
