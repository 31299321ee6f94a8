"""The keys of a variant under ``engine = "transformers"``, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.transformers.folders import adapter_problem, model_problem

Quantization = Literal["bnb-int8", "bnb-nf4", "bnb-fp4"]
Name = Annotated[str, Meta(min_length=1)]

BITSANDBYTES: Final = "pip install 'pytest-llmbench[bitsandbytes]'"
PEFT: Final = "pip install 'pytest-llmbench[peft]'"


class TransformersOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "transformers"``.

    Attributes:
        model: a folder (relative to the configuration file) or a model's name on the hub.
        revision: branch, tag or commit on the hub.
        tokenizer: folder or name of the tokenizer, where it is not the model's.
        weights: ``random`` reads the model's config only and makes up the weights.
        dtype: precision of the weights; ``auto`` keeps what the checkpoint has.
        quantization: what bitsandbytes makes of the linear layers' weights while loading.
        double_quantization: quantize the scales of 4-bit weights too.
        compute_dtype: what 4-bit weights are multiplied in; the model's own dtype if unset.
        int8_threshold: inputs above it are multiplied in 16 bits by int8 layers; 6 if unset.
        adapter: a folder with a peft adapter (relative to the configuration) or its hub name.
        adapter_revision: branch, tag or commit of the adapter on the hub.
        adapter_merge: into the weights ``before`` they are quantized, ``after``, or ``never``.
        device: ``auto`` takes CUDA, else MPS, else the CPU.
        attention: the attention implementation, e.g. ``eager``, ``sdpa``, ``flash_attention_2``.
        threads: CPU threads of torch.
        trust_remote_code: run Python code that comes with the model. Only for models you trust.
    """

    model: Name
    revision: str | None = None
    tokenizer: str | None = None
    weights: Literal["model", "random"] = "model"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    quantization: Quantization | None = None
    double_quantization: bool = False
    compute_dtype: Literal["float32", "float16", "bfloat16"] | None = None
    int8_threshold: Annotated[float, Meta(ge=0.0, le=1e6)] | None = None
    adapter: Name | None = None
    adapter_revision: str | None = None
    adapter_merge: Literal["before", "after", "never"] = "never"
    device: Annotated[str, Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    attention: str | None = None
    threads: Annotated[int, Meta(ge=1)] | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Refuse keys that say nothing without another one."""
        for key, said, needed, there in self._dependent():
            if said and not there:
                raise ValueError(f"{key} says nothing without {needed}; write it, or remove {key}")

    @property
    def four_bits(self) -> bool:
        """Whether the weights are quantized to 4 bits."""
        return self.quantization in {"bnb-nf4", "bnb-fp4"}

    def problem(self, base_dir: Path) -> tuple[str, str] | None:
        """A name that can only be a path has to be a folder; others may be on the hub."""
        wrong = model_problem(
            self.model,
            base_dir,
            made_up=self.weights == "random",
            quantizes=self.quantization is not None,
        )
        if wrong is not None:
            return wrong
        return None if self.adapter is None else adapter_problem(self.adapter, base_dir)

    def needs(self) -> Mapping[str, str]:
        """Return bitsandbytes for a quantization, peft for an adapter."""
        bitsandbytes = {} if self.quantization is None else {"bitsandbytes": BITSANDBYTES}
        return bitsandbytes if self.adapter is None else {**bitsandbytes, "peft": PEFT}

    def _dependent(self) -> tuple[tuple[str, bool, str, bool], ...]:
        """Return key, whether it is written, what it goes with, whether that is there."""
        four, eight = 'quantization = "bnb-nf4" or "bnb-fp4"', 'quantization = "bnb-int8"'
        int8, adapted = self.quantization == "bnb-int8", self.adapter is not None
        return (
            ("double_quantization", self.double_quantization, four, self.four_bits),
            ("compute_dtype", self.compute_dtype is not None, four, self.four_bits),
            ("int8_threshold", self.int8_threshold is not None, eight, int8),
            ("adapter_merge", self.adapter_merge != "never", "adapter", adapted),
            ("adapter_revision", self.adapter_revision is not None, "adapter", adapted),
        )
