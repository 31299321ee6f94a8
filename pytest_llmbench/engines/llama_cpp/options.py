"""The keys of a variant under ``engine = "llama-cpp"``, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from pytest_llmbench.domain.variant import EngineKeys

Positive = Annotated[int, Meta(ge=1)]
KvType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]

_MAGIC: Final = b"GGUF"


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


def located(file: str, base_dir: Path) -> Path:
    """Return the path of *file*, which starts from *base_dir* where it is relative."""
    return base_dir / Path(file).expanduser()


def gguf_problem(path: Path) -> str | None:
    """Say why *path* can't be a GGUF file; ``None`` if it begins as one."""
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        return f"the GGUF file {path} {found}; write the path of a .gguf file"
    with path.open("rb") as file:
        begins = file.read(len(_MAGIC))
    if begins == _MAGIC:
        return None
    return (
        f"{path} is no GGUF file: it begins with {begins!r}, not {_MAGIC!r}; convert the model "
        "with llama.cpp's convert_hf_to_gguf.py"
    )
