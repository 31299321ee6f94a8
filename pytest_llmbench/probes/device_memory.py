"""Memory on the accelerator: the allocator's peaks, and the driver's figure for this process.

torch and MLX are never imported: where an engine has loaded one and begun to use a device, it is
asked. MLX has one allocator a process, whatever its device: on Apple's GPUs and on the CPU its
bytes are the host's, and part of the resident memory too. They are told on the CPU all the same,
because they are exact there: weights, cache and intermediate results, and nothing of Python's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from pytest_llmbench.domain.trace import DeviceMemory
from pytest_llmbench.probes.nvml import Gpu


def reset_device_peaks() -> None:
    """Set the allocator's peaks back to what is allocated now, on every CUDA device and in MLX.

    Does nothing where neither is in use, and for torch on Apple's GPUs, which keeps no peak.
    """
    cuda = _cuda_in_use()
    if cuda is not None:
        for index in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(index)
    mlx = _mlx_in_use()
    if mlx is not None:
        mlx.reset_peak_memory()


def read_device_memory(
    *,
    gpus: Sequence[Gpu] = (),
    used_before: int | None = None,
    pids: Sequence[int] | None = None,
) -> DeviceMemory | None:
    """Return the device memory of *pids* (default: this process); ``None`` without a device.

    The allocator's peaks are summed over devices (they need not have come at one moment); torch
    on Apple's GPUs tells what is allocated and pooled at this moment. MLX keeps no peak of its
    pool, which is told as it is now, but never below the peak of what was allocated.

    Args:
        gpus: what :meth:`.Nvml.gpus` returned; empty where there is no NVML.
        used_before: what :func:`read_device_used` said before the model was loaded; give it only
            for a variant that runs on a device, because the rise of the used memory stands in
            where NVML does not list this process.
        pids: the processes that NVML is asked about, added up; the allocators that are asked
            besides are always this process's own.
    """
    alloc_peak, reserved_peak = _allocator_peaks()
    process, listed = _process_bytes(gpus, (os.getpid(),) if pids is None else pids)
    difference = None
    if process is None and used_before is not None:
        difference = _rise(read_device_used(gpus), used_before)
    if alloc_peak is None and not listed and difference is None:
        return None
    return DeviceMemory(
        alloc_peak=alloc_peak,
        reserved_peak=reserved_peak,
        process=difference if process is None else process,
        process_is_difference=difference is not None,
    )


def read_device_used(gpus: Sequence[Gpu]) -> int | None:
    """Return the used bytes of *gpus*, of all processes; ``None`` where none tells."""
    readings = [memory.used for gpu in gpus if (memory := gpu.memory()) is not None]
    return sum(readings) if readings else None


def synchronize_device() -> None:
    """Wait until every device this process uses has done what it was told."""
    cuda = _cuda_in_use()
    if cuda is not None:
        for index in _used_indices(cuda):
            cuda.synchronize(index)
    mps = _mps_in_use()
    if mps is not None:
        mps.synchronize()
    mlx = _mlx_in_use()
    if mlx is not None:
        mlx.synchronize()


def _used_indices(cuda: Any) -> list[int]:
    """The devices to wait for: touching an unused one would make a context of some 500 MB."""
    count = cuda.device_count()
    if count == 1:
        return [0]
    return [index for index in range(count) if cuda.memory_reserved(index) > 0]


def _allocator_peaks() -> tuple[int | None, int | None]:
    cuda = _cuda_in_use()
    if cuda is not None:
        indices = range(cuda.device_count())
        return (
            sum(int(cuda.max_memory_allocated(index)) for index in indices),
            sum(int(cuda.max_memory_reserved(index)) for index in indices),
        )
    mps = _mps_in_use()
    if mps is not None:
        return int(mps.current_allocated_memory()), int(mps.driver_allocated_memory())
    mlx = _mlx_in_use()
    return (None, None) if mlx is None else _mlx_peaks(mlx)


def _mlx_peaks(mlx: Any) -> tuple[int, int]:
    """MLX sets a peak back to zero, not to what is allocated: a pass that allocates nothing."""
    active = int(mlx.get_active_memory())
    peak = max(int(mlx.get_peak_memory()), active)
    return peak, max(peak, active + int(mlx.get_cache_memory()))


def _cuda_in_use() -> Any | None:
    """``torch.cuda`` (ROCm's too), where something has initialised it."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def _mps_in_use() -> Any | None:
    """``torch.mps``, where something has allocated through it."""
    torch: Any = sys.modules.get("torch")
    backend = getattr(getattr(torch, "backends", None), "mps", None)
    mps = getattr(torch, "mps", None)
    if backend is None or mps is None or not backend.is_available():
        return None
    return mps if mps.driver_allocated_memory() > 0 else None


def _mlx_in_use() -> Any | None:
    """``mlx.core``, where something has allocated through it (transformers may only import it)."""
    mlx: Any = sys.modules.get("mlx.core")
    if mlx is None or not hasattr(mlx, "get_peak_memory"):
        return None
    used = (mlx.get_active_memory(), mlx.get_cache_memory(), mlx.get_peak_memory())
    return mlx if any(used) else None


def _process_bytes(gpus: Sequence[Gpu], pids: Sequence[int]) -> tuple[int | None, bool]:
    """NVML's bytes of *pids* over *gpus*, and whether any of them is listed at all."""
    tables = [gpu.process_bytes() or {} for gpu in gpus]
    shares = [listed[pid] for listed in tables for pid in pids if pid in listed]
    if not shares or None in shares:
        return None, bool(shares)
    return sum(share for share in shares if share is not None), True


def _rise(now: int | None, before: int) -> int | None:
    return None if now is None else max(0, now - before)
