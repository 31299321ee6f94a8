"""What is recorded of a loaded model: read back from llama.cpp, not taken from the request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.engines.fingerprint import file_fingerprint, files_fingerprint
from pytest_llmbench.engines.llama_cpp.library import device_name, instruction_sets
from pytest_llmbench.engines.llama_cpp.model import LoadedModel
from pytest_llmbench.engines.llama_cpp.options import LlamaCppOptions
from pytest_llmbench.engines.model_files import located

_BUFFER: Final = r"load_tensors:\s+(\S+) model buffer size =\s+([\d.]+) MiB"
_OFFLOADED: Final = r"offloaded (\d+/\d+) layers to GPU"
_LOAD_MODE: Final = r"load_mode = ([\w+]+)"
_FLASH: Final = r"(?:flash_attn\s+= |Flash Attention )(enabled|disabled|not supported)"
_PART: Final = re.compile(r"-00001-of-(\d{5})\.gguf$")


def facts(loaded: LoadedModel, base_dir: Path) -> ModelFacts:
    """Return identity, settings and size of *loaded*."""
    device = _device(loaded)
    return ModelFacts(
        identity=_identity(loaded, base_dir, device),
        settings=_settings(loaded),
        model_bytes=loaded.llama.llama_model_size(loaded.model),
        context_tokens=loaded.context_tokens,
        device=device,
        threads=_threads(loaded) if device == "cpu" else None,
    )


def _threads(loaded: LoadedModel) -> int:
    llama, context = loaded.llama, loaded.context
    return int(max(llama.llama_n_threads(context), llama.llama_n_threads_batch(context)))


def _identity(loaded: LoadedModel, base_dir: Path, device: str) -> dict[str, str]:
    llama, asked = loaded.llama, loaded.asked
    path = located(asked.model, base_dir)
    quantization = llama.llama_ftype_name(llama.llama_model_ftype(loaded.model))
    return {
        "model": path.name,
        "weights": _fingerprint(path),
        "quantization": (quantization or b"unknown").decode(),
        "kv_cache": f"{asked.kv_type_k}/{asked.kv_type_v}",
        "device": device.partition(":")[0],
        **_additions(asked, base_dir),
    }


def _additions(asked: LlamaCppOptions, base_dir: Path) -> dict[str, str]:
    added = {}
    if asked.adapter is not None:
        fingerprint = file_fingerprint(located(asked.adapter, base_dir))
        added["adapter"] = f"{fingerprint} × {asked.adapter_scale:g}"
    if asked.chat_template is not None:
        added["chat_template"] = file_fingerprint(located(asked.chat_template, base_dir))
    return added


def _fingerprint(path: Path) -> str:
    """Return the file's fingerprint; of a model in several files, one of them all."""
    split = _PART.search(path.name)
    if split is None:
        return file_fingerprint(path)
    return files_fingerprint(
        path.with_name(f"{path.name[: split.start()]}-{number:05}-of-{split[1]}.gguf")
        for number in range(1, int(split[1]) + 1)
    )


def _settings(loaded: LoadedModel) -> dict[str, str]:
    llama, context = loaded.llama, loaded.context
    offloaded, load_mode = loaded.said(_OFFLOADED), loaded.said(_LOAD_MODE)
    return {
        "context": str(loaded.context_tokens),
        "cache_tokens": str(loaded.cache_tokens),
        "trained_context": str(llama.llama_model_n_ctx_train(loaded.model)),
        "batch": str(loaded.batch),
        "micro_batch": str(llama.llama_n_ubatch(context)),
        "threads": str(llama.llama_n_threads(context)),
        "threads_batch": str(llama.llama_n_threads_batch(context)),
        "gpu_layers": offloaded[-1][1] if offloaded else "0",
        "flash_attention": _flash_attention(loaded),
        "load_mode": load_mode[-1][1] if load_mode else "unknown",
        "buffers": ", ".join(f"{name} {size} MiB" for name, size in _buffers(loaded).items()),
        "llama_cpp": llama.llama_version().decode(),
        "instruction_sets": instruction_sets(llama),
    }


def _flash_attention(loaded: LoadedModel) -> str:
    """Return what llama.cpp decided; its last word counts."""
    found = loaded.said(_FLASH)
    return "unknown" if not found else "enabled" if found[-1][1] == "enabled" else "disabled"


def _buffers(loaded: LoadedModel) -> dict[str, float]:
    """Return where the weights are: llama.cpp's name of each buffer → MiB."""
    return {found[1]: float(found[2]) for found in loaded.said(_BUFFER)}


def _device(loaded: LoadedModel) -> str:
    """Return the GPU that holds most of the weights, where layers were offloaded, else ``cpu``."""
    if not loaded.said(r"offloaded [1-9]\d*/\d+ layers to GPU"):
        return "cpu"
    buffers = _buffers(loaded)
    on_gpus = {name: size for name, size in buffers.items() if not name.startswith("CPU")}
    return device_name(max(on_gpus, key=on_gpus.__getitem__)) if on_gpus else "cpu"
