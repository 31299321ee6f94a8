"""The library itself: imported once, its devices, and a guard for the fields of its structs."""

from __future__ import annotations

import ctypes
import functools
import importlib
import re
from typing import Any, Final

from pytest_llmbench.engines.llama_cpp.log import Log
from pytest_llmbench.engines.protocol import Survey
from pytest_llmbench.errors import EngineNotInstalledError, LoadError

_NEEDED: Final = ("LLAMA_LOAD_MODE_MMAP", "llama_ftype_name", "llama_set_adapters_lora")
"""What came last of all that is used here."""

_GPU_TYPES: Final = (1, 2)
"""ggml_backend_dev_type: GPU and integrated GPU."""


def open_library() -> tuple[Any, Log]:
    """Return the module ``llama_cpp``, ready to load models, and its log.

    Raises:
        EngineNotInstalledError: it is absent or too old.
    """
    try:
        llama: Any = importlib.import_module("llama_cpp")
    except (ImportError, OSError, RuntimeError) as exc:  # the last two: its own library is absent
        raise EngineNotInstalledError(
            f"the engine 'llama-cpp' needs llama-cpp-python, which can't be imported: {exc}; "
            "type: pip install 'pytest-llmbench[llama-cpp]'"
        ) from exc
    if not all(hasattr(llama, name) for name in _NEEDED):
        raise EngineNotInstalledError(
            "the engine 'llama-cpp' needs llama-cpp-python 0.3.36 or newer, but "
            f"{llama.__version__} is installed; type: pip install -U 'pytest-llmbench[llama-cpp]'"
        )
    return llama, _opened(llama)


@functools.cache
def _opened(llama: Any) -> Log:
    log = Log(llama)
    llama.llama_backend_init()
    return log


def assign(struct: Any, **values: object) -> None:
    """Set fields of a C struct; ctypes itself takes any name without a word.

    Raises:
        LoadError: this version's struct has no such field.
    """
    fields = {name for name, _ in struct._fields_}
    for name, value in values.items():
        if name not in fields:
            raise LoadError(
                f"{type(struct).__name__} of the installed llama-cpp-python has no field {name!r};"
                " type: pip install 'llama-cpp-python==0.3.36'"
            )
        setattr(struct, name, value)


def gpus(llama: Any) -> dict[str, int]:
    """Return the devices besides the CPU, as the key ``device`` names them, with their handles."""
    if not llama.llama_supports_gpu_offload():
        return {}
    ggml: Any = llama.llama_cpp._lib  # noqa: SLF001 — ggml's functions have no wrapper
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_type.argtypes = ggml.ggml_backend_dev_name.argtypes = [ctypes.c_void_p]
    ggml.ggml_backend_dev_name.restype = ctypes.c_char_p
    handles = [ggml.ggml_backend_dev_get(index) for index in range(ggml.ggml_backend_dev_count())]
    return {
        device_name(ggml.ggml_backend_dev_name(handle).decode()): handle
        for handle in handles
        if ggml.ggml_backend_dev_type(handle) in _GPU_TYPES
    }


def device_name(theirs: str) -> str:
    """Return ggml's name of a device or buffer as ours: ``CUDA0`` → ``cuda:0``."""
    found = re.match(r"([A-Za-z]+)(\d*)", theirs)
    kind, number = found.groups() if found else (theirs, "")
    kind = {"mtl": "metal"}.get(kind.lower(), kind.lower())
    return f"{kind}:{number}" if number and kind != "metal" else kind


def instruction_sets(llama: Any) -> str:
    """Return what each backend was built with and uses: ``CPU AVX2 FMA …``."""
    items = [item.strip() for item in llama.llama_print_system_info().decode().split("|")]
    on = [item.replace(" = 1", "").replace(" : ", ": ") for item in items if item[-4:] != " = 0"]
    return " ".join(item.replace(" = ", "=") for item in on if item)


def survey() -> Survey:
    """Return the devices that llama.cpp sees here; imports it."""
    llama, _ = open_library()
    others = tuple(gpus(llama))
    built = () if others else ("llama.cpp was built without GPU support, or sees no GPU",)
    return Survey(
        devices=("cpu", *others), notes=(f"llama.cpp uses {instruction_sets(llama)}", *built)
    )
