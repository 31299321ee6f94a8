"""NVIDIA's management library: which GPUs this process may use, and what they say of themselves.

``pynvml`` (package nvidia-ml-py) is imported only here and only when asked. Every figure that a
driver does not support, a container hides or WDDM keeps to itself is ``None``.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, Self

_CLOCK_REASONS: Final = {
    0x002: "application_clocks",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake",
    0x100: "display_clocks",
}
"""Reasons by their bit in NVML. ``gpu_idle`` (bit 1) is left out: an idle GPU lacks nothing."""

_TEMPERATURE_GPU: Final = 0


class GpuMemory(NamedTuple):
    """Memory of one GPU in bytes."""

    total: int
    used: int


class Gpu(Protocol):
    """One GPU as the probes read it; ``None`` for what it does not tell."""

    def name(self) -> str | None:
        """Return the product's name."""

    def memory(self) -> GpuMemory | None:
        """Return total and used bytes, of all processes."""

    def process_bytes(self) -> Mapping[int, int | None] | None:
        """Return the bytes of each process that computes here, by process id."""

    def clock_reasons(self) -> tuple[str, ...] | None:
        """Return the names of the reasons for lowered clocks that hold now, sorted."""

    def temperature_c(self) -> float | None:
        """Return the temperature in degrees Celsius."""


class NvmlGpu:
    """A GPU behind a handle of *library*, which is ``pynvml`` or speaks as it does."""

    def __init__(self, library: Any, handle: object) -> None:
        self._library = library
        self._handle = handle

    def name(self) -> str | None:
        """Return the product's name, such as ``NVIDIA H200``."""
        return _text(self._ask("nvmlDeviceGetName"))

    def uuid(self) -> str | None:
        """Return ``GPU-…``, to tell devices apart; never recorded."""
        return _text(self._ask("nvmlDeviceGetUUID"))

    def memory(self) -> GpuMemory | None:
        """Return total and used bytes, of all processes."""
        memory = self._ask("nvmlDeviceGetMemoryInfo")
        return None if memory is None else GpuMemory(int(memory.total), int(memory.used))

    def process_bytes(self) -> Mapping[int, int | None] | None:
        """Return the bytes of each computing process; ``None`` for one that is kept from us."""
        processes = self._ask("nvmlDeviceGetComputeRunningProcesses")
        if processes is None:
            return None
        return {int(process.pid): process.usedGpuMemory for process in processes}

    def clock_reasons(self) -> tuple[str, ...] | None:
        """Return the names of the reasons for lowered clocks that hold now, sorted."""
        bits = self._ask("nvmlDeviceGetCurrentClocksEventReasons")
        if bits is None:  # drivers before 535 know only the former name
            bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons")
        if bits is None:
            return None
        return tuple(sorted(name for bit, name in _CLOCK_REASONS.items() if int(bits) & bit))

    def temperature_c(self) -> float | None:
        """Return the chip's temperature in degrees Celsius."""
        degrees = self._ask("nvmlDeviceGetTemperature", _TEMPERATURE_GPU)
        return None if degrees is None else float(degrees)

    def _ask(self, function: str, *arguments: object) -> Any:
        return _call(self._library, function, self._handle, *arguments)


class Nvml:
    """An opened management library; close it, or use it as a context."""

    def __init__(self, library: Any) -> None:
        self._library = library

    @classmethod
    def open(cls, library: Any = None) -> Self | None:
        """Open *library* (default ``pynvml``); ``None`` without package, driver or device."""
        library = _pynvml() if library is None else library
        if library is None:
            return None
        try:
            library.nvmlInit()
        except library.NVMLError:
            return None
        return cls(library)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the library; GPUs read afterwards say ``None``."""
        _call(self._library, "nvmlShutdown")

    def driver(self) -> str | None:
        """Return the driver's version, such as ``570.86.15``."""
        return _text(_call(self._library, "nvmlSystemGetDriverVersion"))

    def cuda_driver(self) -> str | None:
        """Return the newest CUDA that the driver serves, such as ``12.8``."""
        number = _call(self._library, "nvmlSystemGetCudaDriverVersion")
        return None if number is None else f"{number // 1000}.{number % 1000 // 10}"

    def gpus(self, environ: Mapping[str, str] = os.environ) -> tuple[NvmlGpu, ...]:
        """Return the GPUs that ``CUDA_VISIBLE_DEVICES`` leaves to this process, in its order.

        Numbers are taken in PCI order, which is CUDA's own wherever the GPUs are alike; as in
        CUDA, the list ends at the first entry that names no GPU.
        """
        every = self._every_gpu()
        wanted = environ.get("CUDA_VISIBLE_DEVICES")
        if wanted is None:
            return every
        chosen: list[NvmlGpu] = []
        for entry in wanted.split(","):
            gpu = self._find(entry.strip(), every)
            if gpu is None:
                break
            chosen.append(gpu)
        return tuple(chosen)

    def _every_gpu(self) -> tuple[NvmlGpu, ...]:
        count = _call(self._library, "nvmlDeviceGetCount") or 0
        handles = (
            _call(self._library, "nvmlDeviceGetHandleByIndex", index) for index in range(count)
        )
        return tuple(NvmlGpu(self._library, handle) for handle in handles if handle is not None)

    def _find(self, entry: str, every: tuple[NvmlGpu, ...]) -> NvmlGpu | None:
        if entry.isdigit():
            return every[int(entry)] if int(entry) < len(every) else None
        if entry.startswith("GPU-"):
            return next((gpu for gpu in every if (gpu.uuid() or "").startswith(entry)), None)
        if entry.startswith("MIG-"):
            handle = _call(self._library, "nvmlDeviceGetHandleByUUID", entry)
            return None if handle is None else NvmlGpu(self._library, handle)
        return None


def gpus_in_use(gpus: Sequence[Gpu], pids: Collection[int]) -> tuple[Gpu, ...]:
    """Return the GPUs that list one of *pids*; none where NVML can't see them."""
    return tuple(gpu for gpu in gpus if not (gpu.process_bytes() or {}).keys().isdisjoint(pids))


def _pynvml() -> Any | None:
    try:
        import pynvml
    except ImportError:
        return None
    return pynvml


def _call(library: Any, function: str, *arguments: object) -> Any:
    """Ask *library*; ``None`` where it lacks the function or the device does not support it."""
    ask = getattr(library, function, None)
    if ask is None:
        return None
    try:
        return ask(*arguments)
    except library.NVMLError:
        return None


def _text(value: object) -> str | None:
    """Decode what former versions of the package return as bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else None
