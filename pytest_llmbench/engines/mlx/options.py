"""The keys of a variant under ``engine = "mlx"``, and what is wrong with them on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from pytest_llmbench.domain.claim import AUTO, Claim, claimed, total
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.model_files import (
    ADAPTER_FILE,
    CONFIG_FILE,
    described,
    is_gguf,
    is_path,
    located,
    model_folder,
)
from pytest_llmbench.engines.model_size import (
    WIDTHS,
    random_weights,
    stored_width,
    weight_bytes,
)

GROUP_SIZE: Final = 64

_SCALES_BITS: Final = 32
"""Bits of a group's scale and bias, in 16 bits each."""


class MlxOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "mlx"``.

    Attributes:
        model: a folder (relative to the configuration file), in Hugging Face's form or in MLX's,
            or a model's name on the hub.
        revision: branch, tag or commit on the hub.
        tokenizer: folder or name of the tokenizer, where it is not the model's.
        adapter: folder of an adapter that mlx-lm trained.
        weights: ``random`` reads the model's ``config.json`` alone and draws the weights.
        dtype: precision of what is not quantized, and so of the computation; ``auto`` keeps what
            the checkpoint has.
        quantization: quantize weights that are not when they are loaded, as ``mlx_lm.convert``
            would.
        group_size: weights that share a scale when *quantization* is asked for.
        device: ``auto`` takes the GPU where MLX has one, else the CPU.
        kv_bits: keep keys and values in this many bits, from the first token on.
        max_kv_size: keep at most this many tokens of keys and values; the oldest are forgotten.
        prefill_step_size: prompt tokens that are processed at a time.
        trust_remote_code: run Python code that comes with the model. Only for models you trust.
    """

    model: Annotated[str, Meta(min_length=1)]
    revision: str | None = None
    tokenizer: str | None = None
    adapter: str | None = None
    weights: Literal["model", "random"] = "model"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    quantization: (
        Literal["mlx-2bit", "mlx-3bit", "mlx-4bit", "mlx-5bit", "mlx-6bit", "mlx-8bit"] | None
    ) = None
    group_size: Literal[32, 64, 128] = GROUP_SIZE
    device: Literal["auto", "cpu", "gpu"] = "auto"
    kv_bits: Literal[2, 3, 4, 5, 6, 8] | None = None
    max_kv_size: Annotated[int, Meta(ge=1)] | None = None
    prefill_step_size: Annotated[int, Meta(ge=1)] = 2048
    trust_remote_code: bool = False

    @property
    def bits(self) -> int | None:
        """The bits of a weight that *quantization* asks for."""
        return None if self.quantization is None else int(self.quantization[len("mlx-")])

    def problem(self, base_dir: Path) -> tuple[str, str] | None:
        """A name that can only be a path has to be a folder; some keys exclude each other."""
        return self._folder_problem(base_dir) or self._conflict()

    def claim(self, base_dir: Path) -> Claim:
        """The weights as they are loaded, and the adapter's; a GPU may have memory of its own."""
        model = model_folder(self.model, self.revision, base_dir)
        weights = None if model is None else self._model_bytes(model)
        adapter = 0 if self.adapter is None else weight_bytes(located(self.adapter, base_dir))
        return claimed(total(weights, adapter), "cpu" if self.device == "cpu" else AUTO)

    def _model_bytes(self, folder: Path) -> int | None:
        config = described(folder)
        stored, asked = stored_width(config), WIDTHS.get(self.dtype)
        if self.weights == "random":
            width = stored or WIDTHS["float32"]
            return self._as_asked(random_weights(config), width=asked or width)
        files = weight_bytes(folder)
        if files is None or "quantization" in config:
            return files
        if stored is None:
            return files if asked is None and self.bits is None else 2 * files
        return self._as_asked(files // stored, width=asked or stored)

    def _as_asked(self, weights: int | None, *, width: int) -> int | None:
        """Return the bytes of so many weights, quantized where that is asked for."""
        if weights is None or self.bits is None:
            return None if weights is None else weights * width
        bits = self.bits * self.group_size + _SCALES_BITS
        return weights * bits // (8 * self.group_size)

    def _folder_problem(self, base_dir: Path) -> tuple[str, str] | None:
        if is_path(self.model, base_dir):
            wrong = model_problem(located(self.model, base_dir))
            if wrong is not None:
                return "model", wrong
        for key in ("tokenizer", "adapter"):
            name: str | None = getattr(self, key)
            if name is None or (key != "adapter" and not is_path(name, base_dir)):
                continue
            folder = located(name, base_dir)
            if not folder.is_dir():
                return key, _no_folder(key, folder)
        return None

    def _conflict(self) -> tuple[str, str] | None:
        if self.kv_bits is not None and self.max_kv_size is not None:
            both = "mlx-lm can't quantize a cache that forgets; leave kv_bits or max_kv_size out"
            return "kv_bits", both
        if self.group_size != GROUP_SIZE and self.quantization is None:
            alone = "it is only for weights that are quantized here; write quantization too"
            return "group_size", alone
        return None


def model_problem(folder: Path) -> str | None:
    """Say why there is no model in *folder* that mlx-lm could read, and what to write instead."""
    if is_gguf(folder):
        return f'{folder} is a GGUF file, which mlx-lm does not read; write engine = "llama-cpp"'
    if not folder.is_dir():
        return _no_folder("model", folder)
    if (folder / CONFIG_FILE).is_file():
        return None
    if (folder / ADAPTER_FILE).is_file():
        return (
            f"the folder {folder} holds an adapter and no model; write it as adapter, and the "
            "model that it was trained with as model"
        )
    lacks = f"the model folder {folder} has no {CONFIG_FILE}"
    if any(folder.glob("*.gguf")):
        return f'{lacks}, but GGUF files; name one of them under engine = "llama-cpp"'
    return f"{lacks}, so there is no model in it; correct the path"


def _no_folder(key: str, folder: Path) -> str:
    found = "is a file, not a folder" if folder.exists() else "does not exist"
    return f"the {key} folder {folder} {found}; correct the path"
