"""The keys of a variant under ``engine = "llama-cpp"``: what is wrong with them, what they take."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

import msgspec
from msgspec import Meta

from pytest_llmbench.domain.claim import PROCESS_BYTES, Claim, claimed, total
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.model_files import GGUF, beginning, located
from pytest_llmbench.engines.model_size import file_bytes

Positive = Annotated[int, Meta(ge=1)]
KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]

_LONGEST_CONTEXT: Final = 4096
"""The context where none is asked for, unless the model's own is shorter."""

_CACHE_BITS: Final[Mapping[str, float]] = {
    "f32": 32, "f16": 16, "bf16": 16, "q8_0": 8.5, "q5_1": 6, "q5_0": 5.5, "q4_1": 5, "q4_0": 4.5,
    "iq4_nl": 4.5,
}  # fmt: skip
"""Bits of one cached number, its share of the scales included."""

_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q",
                   11: "q", 12: "d"}  # fmt: skip
"""GGUF's number of a type → its letter in :mod:`struct`."""
_STRING, _ARRAY = 8, 9
_LONGEST: Final = 2**16
"""Characters of a text and entries of a table: what is longer is no number of the model's."""


class LlamaCppOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "llama-cpp"``.

    Attributes:
        model: a GGUF file, relative to the configuration; of several parts, the first.
        adapter: a LoRA adapter as GGUF.
        adapter_scale: what the adapter is multiplied with.
        device: ``auto`` takes every GPU that the build sees, else the CPU; ``cpu`` keeps GPUs
            out entirely; ``cuda:1`` takes that one.
        gpu_layers: layers that GPUs hold; ``auto`` is all of them where there is a GPU, ``all``
            insists on one.
        context: tokens that prompt and output may take together; 0 is the length that the
            model was trained for, unset that length or 4096, whichever is less.
        batch: prompt tokens handed over at once.
        micro_batch: prompt tokens computed at once.
        threads: CPU threads that generate; unset, one for each physical core.
        threads_batch: CPU threads that process the prompt; unset, as many.
        flash_attention: ``auto`` leaves it to llama.cpp.
        kv_type_k: precision of the cached keys.
        kv_type_v: precision of the cached values; below 16 bits it needs flash attention.
        mmap: map the file into memory instead of reading it.
        mlock: keep the weights from being swapped out.
        chat_template: a file with a Jinja template that replaces the model's own.
    """

    model: Annotated[str, Meta(min_length=1)]
    adapter: str | None = None
    adapter_scale: float = 1.0
    device: Annotated[str, Meta(pattern=r"^[a-z]+(:\d+)?$")] = "auto"
    gpu_layers: Literal["auto", "all"] | Annotated[int, Meta(ge=0)] = "auto"
    context: Annotated[int, Meta(ge=0)] | None = None
    batch: Positive | None = None
    micro_batch: Positive | None = None
    threads: Positive | None = None
    threads_batch: Positive | None = None
    flash_attention: Literal["auto"] | bool = "auto"
    kv_type_k: KvType = "f16"
    kv_type_v: KvType = "f16"
    mmap: bool = True
    mlock: bool = False
    chat_template: str | None = None

    def problem(self, base_dir: Path) -> tuple[str, str] | None:
        """Files have to be there, models and adapters to be GGUF, keys not to contradict."""
        for key, file in (("model", self.model), ("adapter", self.adapter)):
            wrong = None if file is None else gguf_problem(located(file, base_dir))
            if wrong is not None:
                return key, wrong
        if self.chat_template is not None and not located(self.chat_template, base_dir).is_file():
            template = located(self.chat_template, base_dir)
            return "chat_template", f"the file {template} does not exist; correct the path"
        return self._contradiction()

    def claim(self, base_dir: Path) -> Claim:
        """The whole file, mapped into memory or not, and the cache of the whole context.

        What GPUs hold counts in the host's memory too: the file is read through it.
        """
        files = [located(self.model, base_dir)]
        files += [] if self.adapter is None else [located(self.adapter, base_dir)]
        inside = total(*map(file_bytes, files))
        if inside is not None:
            inside += self._cache_bytes(described(files[0]), otherwise=inside)
        claim = claimed(inside, self.device)
        if claim.device is None:
            return claim
        on_device = PROCESS_BYTES if self.gpu_layers == 0 else claim.device_bytes
        host = total(inside, PROCESS_BYTES)
        return msgspec.structs.replace(claim, host_bytes=host, device_bytes=on_device)

    def _cache_bytes(self, told: Mapping[str, object], *, otherwise: int) -> int:
        """Return the bytes of the context's cache; *otherwise* where the model does not tell."""
        shape = _Shape(told)
        trained = shape.number("context_length")
        asked = min(trained, _LONGEST_CONTEXT) if self.context is None else self.context
        keys, values = shape.cached()
        bits = keys * _CACHE_BITS[self.kv_type_k] + values * _CACHE_BITS[self.kv_type_v]
        return int((asked or trained) * bits / 8) or otherwise

    def _contradiction(self) -> tuple[str, str] | None:
        if self.device == "cpu" and self.gpu_layers not in ("auto", 0):
            return "gpu_layers", 'device = "cpu" holds no GPU layers; leave one of the two out'
        if self.adapter is None and self.adapter_scale != 1:
            return "adapter_scale", "there is no adapter to scale; write adapter, or leave it out"
        if self.flash_attention is False and self.kv_type_v not in ("f32", "f16", "bf16"):
            return "kv_type_v", (
                f"values cached as {self.kv_type_v} need flash attention; "
                'leave flash_attention out or write kv_type_v = "f16"'
            )
        return None


def gguf_problem(path: Path) -> str | None:
    """Say why *path* can't be a GGUF file; ``None`` if it begins as one."""
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        return f"the GGUF file {path} {found}; write the path of a .gguf file"
    begins = beginning(path)
    if begins == GGUF:
        return None
    return (
        f"{path} is no GGUF file: it begins with {begins!r}, not {GGUF!r}; convert the model "
        "with llama.cpp's convert_hf_to_gguf.py"
    )


def described(path: Path) -> dict[str, object]:
    """Return what the GGUF file in *path* says before its vocabulary, which is large.

    The shape of the model stands there. What can't be read is left out.
    """
    told: dict[str, object] = {}
    try:
        with path.open("rb") as file:
            for key, value in _entries(file):
                if key.startswith("tokenizer."):
                    break
                told[key] = value
    except (OSError, ValueError, KeyError, struct.error):
        pass  # of another version, or damaged: loading it says more
    return told


class _Shape:
    """The numbers of a model, as its GGUF file *told* them."""

    def __init__(self, told: Mapping[str, object]) -> None:
        self._told = told
        self._architecture = told.get("general.architecture")

    def number(self, key: str, otherwise: int = 0) -> int:
        value = self._told.get(f"{self._architecture}.{key}")
        return value if isinstance(value, int) else otherwise

    def cached(self) -> tuple[int, int]:
        """Return how many numbers of keys and of values are cached for a token."""
        heads = self.number("attention.head_count")
        width = self.number("embedding_length") // heads if heads else 0
        by_layer = self._told.get(f"{self._architecture}.attention.head_count_kv", heads)
        if not isinstance(by_layer, list):
            by_layer = [by_layer] * self.number("block_count")
        keyed = sum(layer for layer in by_layer if isinstance(layer, int))
        return (
            keyed * self.number("attention.key_length", width),
            keyed * self.number("attention.value_length", width),
        )


def _entries(file: BinaryIO) -> Iterator[tuple[str, object]]:
    """Yield the keys and values at the beginning of a GGUF file, in its order."""
    if file.read(len(GGUF)) != GGUF or _scalar(file, "I") not in (2, 3):
        return
    _scalar(file, "Q")  # how many tensors there are
    for _ in range(int(_scalar(file, "Q"))):
        yield str(_value(file, _STRING)), _value(file, int(_scalar(file, "I")))


def _value(file: BinaryIO, kind: int) -> object:
    if kind in _SCALARS:
        return _scalar(file, _SCALARS[kind])
    inner = int(_scalar(file, "I")) if kind == _ARRAY else kind
    length = int(_scalar(file, "Q"))
    if kind not in (_STRING, _ARRAY) or inner == _ARRAY or length > _LONGEST:
        raise ValueError("no number of a model's is written like that")
    if kind == _STRING:
        return file.read(length).decode("utf-8", errors="replace")
    return [_value(file, inner) for _ in range(length)]


def _scalar(file: BinaryIO, letter: str) -> int | float:
    layout = f"<{letter}"
    value: int | float = struct.unpack(layout, file.read(struct.calcsize(layout)))[0]
    return value
