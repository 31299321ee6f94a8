"""The keys of a variant under ``engine = "transformers"``, and what can be wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from pytest_llmbench.domain.variant import EngineKeys

Quantization = Literal["bnb-int8", "bnb-nf4", "bnb-fp4"]
Name = Annotated[str, Meta(min_length=1)]

BITSANDBYTES: Final = "pip install 'pytest-llmbench[bitsandbytes]'"
PEFT: Final = "pip install 'pytest-llmbench[peft]'"

CONFIG_FILE: Final = "config.json"
ADAPTER_FILE: Final = "adapter_config.json"


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
        wrong = _model_problem(self, base_dir)
        if wrong is not None:
            return wrong
        return None if self.adapter is None else _adapter_problem(self.adapter, base_dir)

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


def local_folder(name: str, base_dir: Path) -> Path:
    """Return where *name* is if it is a folder of this machine."""
    return base_dir / Path(name).expanduser()


def _model_problem(asked: TransformersOptions, base_dir: Path) -> tuple[str, str] | None:
    folder = local_folder(asked.model, base_dir)
    if not folder.is_dir():
        return _absent("model", asked.model, folder, base_dir)
    config = folder / CONFIG_FILE
    if asked.weights == "random" and not config.is_file():
        return "model", f"{folder} has no {CONFIG_FILE}, which random weights are made from"
    method = quantized_already(config) if asked.quantization is not None else None
    if method is not None:
        return "quantization", already_quantized(asked.model, method)
    return None


def _adapter_problem(adapter: str, base_dir: Path) -> tuple[str, str] | None:
    folder = local_folder(adapter, base_dir)
    if not folder.is_dir():
        return _absent("adapter", adapter, folder, base_dir)
    if (folder / ADAPTER_FILE).is_file():
        return None
    return "adapter", f"{folder} has no {ADAPTER_FILE}; name the folder that peft saved it to"


def quantized_already(config: Path) -> str | None:
    """Return the method that the checkpoint of *config* is quantized by, if it is."""
    try:
        said = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # loading it says more
    theirs = said.get("quantization_config") if isinstance(said, dict) else None
    return str(theirs.get("quant_method", "?")) if isinstance(theirs, dict) else None


def already_quantized(model: str, method: str) -> str:
    """Return the sentence that refuses to quantize *model* a second time."""
    return (
        f"model = {model!r} is quantized already (by {method}) and loads as it is; "
        "remove quantization, or name the model that it was made from"
    )


def _absent(key: str, name: str, folder: Path, base_dir: Path) -> tuple[str, str] | None:
    """Return what is wrong with a *name* that is no folder; nothing if it may be on the hub."""
    if not is_path(name, base_dir):
        return None
    found = "is a file, not a folder" if folder.exists() else "does not exist"
    return key, f"the {key} folder {folder} {found}; correct the path"


def is_path(name: str, base_dir: Path) -> bool:
    """Whether *name* can't be a hub name, which is ``name`` or ``owner/name``."""
    parts = Path(name).parts
    owner_is_folder = len(parts) > 1 and (base_dir / parts[0]).is_dir()
    ends = name.startswith((".", "/", "~")) or name.endswith("/")
    return ends or len(parts) > 2 or owner_is_folder or (base_dir / name).is_file()
