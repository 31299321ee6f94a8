"""Where a session runs: what must match for results to be comparable, and what may explain them.

Neither part holds a host name, a user name or a path.
"""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pytest_llmbench.domain.record import Environment
from pytest_llmbench.probes.contention import read_load
from pytest_llmbench.probes.host_memory import PROC, read_system_total
from pytest_llmbench.probes.nvml import Gpu, Nvml
from pytest_llmbench.probes.operating_system import operating_system, transparent_huge_pages
from pytest_llmbench.probes.processor import (
    governors,
    instruction_set,
    physical_cores,
    processor_model,
    usable_processors,
)
from pytest_llmbench.probes.quota import cpu_quota
from pytest_llmbench.probes.repository import git_commit

SYS: Final = Path("/sys")
ETC: Final = Path("/etc")
_GIB: Final = 2**30
_MIB: Final = 2**20
_VARIABLES: Final = re.compile(
    r"(OMP|MKL|OPENBLAS|NUMEXPR|BLIS|RAYON)_NUM_THREADS|VECLIB_MAXIMUM_THREADS"
    r"|TOKENIZERS_PARALLELISM|CUDA_(VISIBLE_DEVICES|DEVICE_ORDER|LAUNCH_BLOCKING|MODULE_LOADING)"
    r"|(PYTORCH|TORCH)_\w*ALLOC_CONF|PYTORCH_ENABLE_MPS_FALLBACK|NVIDIA_TF32_OVERRIDE"
    r"|HIP_VISIBLE_DEVICES|ROCR_VISIBLE_DEVICES"
    r"|KMP_\w+|GOMP_\w+|OMP_(WAIT_POLICY|PROC_BIND|PLACES|DYNAMIC|SCHEDULE|THREAD_LIMIT)"
    r"|MKL_DYNAMIC|MALLOC_(ARENA_MAX|TRIM_THRESHOLD_|MMAP_THRESHOLD_)"
)
"""Environment variables that change how fast or how big an engine runs; no others are read."""


def host_environment(
    *,
    nvml: Nvml | None,
    folder: Path | None,
    environ: Mapping[str, str] = os.environ,
    proc: Path = PROC,
    sys_root: Path = SYS,
    etc: Path = ETC,
) -> Environment:
    """Return this machine's identity and context; a fact that it does not tell is left out.

    Identity has all its fields always, ``unknown`` or ``none`` among their values. About 20 ms,
    most of it git and psutil's import.

    Args:
        nvml: the opened :class:`.Nvml`, or ``None`` where there is none.
        folder: whose git commit is recorded, or ``None``.
        environ: the environment variables, of which only the listed ones are read.
        proc: root of the process files.
        sys_root: root of the device files.
        etc: the folder of ``os-release``.
    """
    quota = cpu_quota(proc=proc, sys_root=sys_root)
    gpus = () if nvml is None else nvml.gpus(environ)
    context = {
        "kernel": platform.release(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "pytest-llmbench": library_versions(["pytest-llmbench"]).get("pytest-llmbench"),
        "gpu_driver": None if nvml is None else nvml.driver(),
        "cuda_driver": None if nvml is None else nvml.cuda_driver(),
        "cpu_governor": governors(sys_root=sys_root),
        "cpu_quota": None if quota is None else f"{quota:g}",
        "transparent_hugepages": transparent_huge_pages(sys_root=sys_root),
        "load_at_start": _busyness(read_load(proc=proc), usable_processors(quota)),
        "git_commit": None if folder is None else git_commit(folder),
        **_variables(environ),
    }
    return Environment(
        identity={
            "processor": processor_model(proc=proc),
            "instruction_set": instruction_set(proc=proc),
            "architecture": _architecture(platform.machine()),
            "logical_processors": f"{usable_processors(quota):g}",
            "physical_cores": str(physical_cores() or "unknown"),
            "memory": f"{math.ceil(read_system_total(proc=proc) / _GIB)} GiB",
            "os": operating_system(etc=etc),
            "gpus": _gpus(gpus),
        },
        context={key: value for key, value in context.items() if value is not None},
    )


def library_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of the distributions *names*; absent ones are left out."""
    versions: dict[str, str] = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The listed variables as ``env.NAME``; of a value that holds a path, only that it is set."""
    return {
        f"env.{name}": "(a path)" if re.search(r"[/\\]", value) else value
        for name, value in sorted(environ.items())
        if _VARIABLES.fullmatch(name)
    }


def _gpus(gpus: Iterable[Gpu]) -> str:
    """``NVIDIA H200 143771 MiB``, joined by commas in the order of use; ``none`` without any."""
    return ", ".join(_gpu(gpu) for gpu in gpus) or "none"


def _gpu(gpu: Gpu) -> str:
    memory = gpu.memory()
    size = "unknown memory" if memory is None else f"{memory.total // _MIB} MiB"
    return f"{gpu.name() or 'unknown GPU'} {size}"


def _architecture(machine: str) -> str:
    """One name per architecture: Windows says ``AMD64`` and macOS ``arm64``."""
    name = machine.lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(name, name) or "unknown"


def _busyness(load: float | None, processors: float) -> str | None:
    """Return a load average in words: as a number it would differ in every two sessions."""
    if load is None:
        return None
    share = load / processors
    return "idle" if share < 0.25 else "partly busy" if share < 0.75 else "busy"
