"""Importing torch, transformers, bitsandbytes and peft, and what they say of this machine.

Read in bitsandbytes 0.50.2: on a CPU with AVX512-BF16, importing it fetches a kernel from the hub
where the package ``kernels`` is installed (and peft imports bitsandbytes). A benchmark must not
change by what a hub holds today, so it is imported with the hub out of reach; a kernel that is in
the hub's cache already is used, as in deployment, and named in the variant's identity. Its advice
to install ``kernels`` where there is none says nothing of the variant, and is not passed on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from typing import Any, Final

from pytest_llmbench.engines.protocol import Survey
from pytest_llmbench.engines.transformers.options import BITSANDBYTES, PEFT
from pytest_llmbench.errors import EngineError, EngineNotInstalledError, LoadError

_TRANSFORMERS: Final = "pip install 'pytest-llmbench[transformers]'"
_ADVICE: Final = "Failed to load CPU gemm_4bit_forward from kernels-community"


@dataclasses.dataclass(frozen=True, slots=True)
class Libraries:
    """The imported libraries. Any: they are foreign, and present only in the worker."""

    torch: Any
    transformers: Any


def import_libraries() -> Libraries:
    """Import torch and transformers.

    Raises:
        EngineNotInstalledError: one of them is absent.
        LoadError: one of them is broken.
    """
    libraries = Libraries(
        torch=_imported("torch", "the engine 'transformers'", _TRANSFORMERS),
        transformers=_imported("transformers", "the engine 'transformers'", _TRANSFORMERS),
    )
    libraries.transformers.utils.logging.disable_progress_bar()
    return libraries


def import_bitsandbytes(needed_by: str = "the key quantization") -> Any:
    """Import bitsandbytes without asking the hub for a kernel.

    Raises:
        EngineNotInstalledError: it is absent.
        LoadError: it is broken.
    """
    with _hub_out_of_reach(), _without_advice():
        bitsandbytes = _imported("bitsandbytes", needed_by, BITSANDBYTES)
    logging.getLogger("bitsandbytes.autograd._functions").addFilter(_once)
    return bitsandbytes


def import_peft() -> Any:
    """Import peft, after bitsandbytes where that is installed, since peft imports it.

    Raises:
        EngineNotInstalledError: it is absent.
        LoadError: one of them is broken.
    """
    if importlib.util.find_spec("bitsandbytes") is not None:
        import_bitsandbytes("peft, for the key adapter,")
    return _imported("peft", "the key adapter", PEFT)


def survey() -> Survey:
    """Return the devices that torch sees here, and instruction sets; imports torch."""
    torch = import_libraries().torch
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        devices.append("mps")
    capability = torch.backends.cpu.get_cpu_capability()
    notes = [f"torch uses {capability} on the CPU"]
    if importlib.util.find_spec("bitsandbytes") is not None:
        kernel = four_bit_kernel(import_bitsandbytes())
        notes.append(f"bitsandbytes' 4-bit layers use {kernel} on the CPU")
    return Survey(devices=tuple(devices), notes=tuple(notes))


def four_bit_kernel(bitsandbytes: Any) -> str:
    """Return what 4-bit layers are computed by on this CPU.

    With AVX512-BF16 bitsandbytes packs the weights anew in the first generation, takes double
    quantization back, and computes in bfloat16 whatever the compute dtype is.
    """
    if not packs_anew(bitsandbytes):
        return "dequantization"
    operations = importlib.import_module("bitsandbytes.backends.cpu.ops")
    from_hub = getattr(operations, "gemm_4bit_forward_kernel", None) is not None
    return "AVX512-BF16 of the kernels package" if from_hub else "AVX512-BF16"


def packs_anew(bitsandbytes: Any) -> bool:
    """Return whether 4-bit layers on this CPU are packed anew for AVX512-BF16."""
    asked = getattr(
        bitsandbytes.functional, "has_avx512bf16", None
    )  # old versions have no such kernel
    return asked is not None and bool(asked())


def _imported(module: str, needed_by: str, line: str) -> Any:
    """Import *module*; its own deprecated calls, while it is imported, are nobody's warning."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module(module)
    except Exception as exc:  # a shared library that is missing is an OSError, and so on
        raise _import_problem(module, needed_by, line, exc) from exc


def _import_problem(module: str, needed_by: str, line: str, exc: Exception) -> EngineError:
    """Return what an import that failed means: something is not installed, or broken."""
    if isinstance(exc, ModuleNotFoundError) and exc.name and not _is_there(exc.name):
        return EngineNotInstalledError(
            f"{needed_by} needs {exc.name}, which is not installed; type: {line}"
        )
    return LoadError(
        f"{needed_by} needs {module}, which is installed, but can't be imported: "
        f"{type(exc).__name__}: {exc}; repair its installation, or type: {line}"
    )


def _is_there(module: str) -> bool:
    """Whether the package of *module* is installed: then a part of it that is missing broke it."""
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None
    except ModuleNotFoundError:
        return False


@contextlib.contextmanager
def _hub_out_of_reach() -> Iterator[None]:
    """Let huggingface_hub answer from its cache alone."""
    constants: Any = importlib.import_module("huggingface_hub.constants")
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """Keep bitsandbytes' advice to install ``kernels`` out of the log, and nothing else of it."""
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    logger.addFilter(_is_no_advice)
    try:
        yield
    finally:
        logger.removeFilter(_is_no_advice)


def _is_no_advice(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_ADVICE)


def _once(record: logging.LogRecord) -> bool:
    """Let a logger's first warning pass and silence it: int8 layers repeat theirs every call."""
    logging.getLogger(record.name).setLevel(logging.ERROR)
    return True
