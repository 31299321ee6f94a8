"""The keys of a variant under ``engine = "transformers"``, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pytest_llmbench.domain.claim import Claim, claimed, total
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.model_files import described, model_folder
from pytest_llmbench.engines.model_size import (
    WIDTHS,
    embedding_weights,
    random_weights,
    stored_width,
    weight_bytes,
)
from pytest_llmbench.engines.transformers.folders import adapter_problem, model_problem

Quantization = Literal["bnb-int8", "bnb-nf4", "bnb-fp4"]
Name = Annotated[str, Meta(min_length=1)]

BITSANDBYTES: Final = "pip install 'pytest-llmbench[bitsandbytes]'"
PEFT: Final = "pip install 'pytest-llmbench[peft]'"

_UNTOLD: Final = 2
"""Bytes in memory for each byte of a file, where the keys do not tell what it is loaded as."""

_BITS: Final = {"bnb-int8": 9, "bnb-nf4": 5, "bnb-fp4": 5}
"""Bits of a quantized weight, its share of the scales included."""


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

    def claim(self, base_dir: Path) -> Claim:
        """The weights as they are loaded, and the adapter's.

        Weights that are quantized only after they were made whole, on the CPU, count there too.
        """
        folder = model_folder(self.model, self.revision, base_dir)
        config = {} if folder is None else described(folder)
        plain = None if folder is None else self._plain_bytes(folder, config)
        loaded = total(self._quantized_bytes(plain, config), self._adapter_bytes(base_dir))
        claim = claimed(loaded, self.device)
        made_whole = self.weights == "random" or self.adapter_merge == "before"
        if self.quantization is None or not made_whole:
            return claim
        return msgspec.structs.replace(claim, host_bytes=total(claim.host_bytes, plain))

    def _plain_bytes(self, folder: Path, config: Mapping[str, Any]) -> int | None:
        """Return the bytes of the weights before they are quantized."""
        asked, stored = WIDTHS.get(self.dtype), stored_width(config)
        if self.weights == "random":
            weights = random_weights(config)
            return None if weights is None else weights * (asked or stored or WIDTHS["float32"])
        files = weight_bytes(folder)
        if files is None:
            return None
        says_nothing = asked is None and self.quantization is None
        if stored is None or says_nothing or "quantization_config" in config:
            return _UNTOLD * files
        return files * (asked or stored) // stored

    def _quantized_bytes(self, plain: int | None, config: Mapping[str, Any]) -> int | None:
        """Return the bytes of *plain* weights once quantized, embedding and output layer not."""
        kept, width = embedding_weights(config), WIDTHS.get(self.dtype) or stored_width(config)
        if self.quantization is None or plain is None or kept is None or width is None:
            return plain
        packed = max(0, plain // width - kept)
        return min(plain, kept * width + packed * _BITS[self.quantization] // 8)

    def _adapter_bytes(self, base_dir: Path) -> int | None:
        """Return the bytes of the adapter, which is computed in 32 bits; 0 where there is none."""
        if self.adapter is None:
            return 0
        folder = model_folder(self.adapter, self.adapter_revision, base_dir)
        files = None if folder is None else weight_bytes(folder)
        return None if files is None else _UNTOLD * files

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
