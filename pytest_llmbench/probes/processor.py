"""The processor: its model, and the instructions that decide how fast a model can run on it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pytest_llmbench.probes.cores import allowed_processors
from pytest_llmbench.probes.procfs import read_fields, read_text

INSTRUCTION_SETS: Final = (
    "sse4_2",
    "avx",
    "f16c",
    "fma",
    "avx2",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_tile",
    "amx_bf16",
    "amx_int8",
    "neon",
    "asimd",
    "asimdhp",
    "asimddp",
    "bf16",
    "i8mm",
    "sve",
    "sve2",
    "sme",
)
"""The instructions that engines choose their kernels by, in Linux's names."""

_ARM_MAKERS: Final = {
    "0x41": "ARM",
    "0x46": "Fujitsu",
    "0x48": "HiSilicon",
    "0x4e": "NVIDIA",
    "0x51": "Qualcomm",
    "0x61": "Apple",
    "0xc0": "Ampere",
}
_ARM_CORES: Final = {
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
}
_APPLE_FLAGS: Final = {
    "hw.optional.neon": "neon",
    "hw.optional.AdvSIMD": "asimd",
    "hw.optional.arm.FEAT_FP16": "asimdhp",
    "hw.optional.arm.FEAT_DotProd": "asimddp",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_SME": "sme",
    "hw.optional.sse4_2": "sse4_2",
    "hw.optional.avx1_0": "avx",
    "hw.optional.f16c": "f16c",
    "hw.optional.fma": "fma",
    "hw.optional.avx2_0": "avx2",
    "hw.optional.avx512f": "avx512f",
    "hw.optional.avx512bw": "avx512bw",
    "hw.optional.avx512vnni": "avx512_vnni",
}
_WINDOWS_FLAGS: Final = {19: "neon", 38: "sse4_2", 39: "avx", 40: "avx2", 41: "avx512f"}
"""Flags by the number that Windows's ``IsProcessorFeaturePresent`` takes."""

_ASK_SECONDS: Final = 2.0

AskSysctl = Callable[[str], str | None]


def processor_model(*, proc: Path, ask_sysctl: AskSysctl | None = None) -> str:
    """Return the processor's name as its maker gives it, blanks squeezed; or ``unknown``."""
    fields = read_fields(proc / "cpuinfo")
    ask = ask_sysctl or sysctl
    name = (
        fields.get("model name")
        or _arm_name(fields)
        or ask("machdep.cpu.brand_string")
        or _windows_name()
        or platform.processor()
        or fields.get("Model")
        or "unknown"
    )
    return " ".join(name.split())


def instruction_set(*, proc: Path, ask_sysctl: AskSysctl | None = None) -> str:
    """Return those of :data:`INSTRUCTION_SETS` that are present, blank-separated in that order.

    ``unknown`` where the system tells none.
    """
    fields = read_fields(proc / "cpuinfo")
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    if not flags:
        flags = _apple_flags(ask_sysctl or sysctl) or _windows_flags()
    return " ".join(name for name in INSTRUCTION_SETS if name in flags) or "unknown"


def usable_processors(quota: float | None) -> float:
    """Return how many logical processors this process may keep busy.

    The fewer of its affinity mask and *quota* (processors' worth of time, ``None`` without one).
    """
    count = float(len(allowed_processors()) or os.cpu_count() or 1)
    return count if quota is None else min(count, quota)


def physical_cores() -> int | None:
    """Return the machine's physical cores; ``None`` where it does not say."""
    import psutil

    cores = psutil.cpu_count(logical=False)
    return None if cores is None else int(cores)


def governors(*, sys_root: Path) -> str | None:
    """Return the frequency governors in force, blank-separated; ``None`` without any."""
    pattern = "devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"
    found = {text for path in sys_root.glob(pattern) if (text := read_text(path))}
    return " ".join(sorted(found)) or None


def sysctl(name: str) -> str | None:
    """Ask macOS for the value of *name*; ``None`` elsewhere and for a name it lacks."""
    return _run_sysctl(name) if platform.system() == "Darwin" else None


def _run_sysctl(name: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed program, no shell, names from this file
            ["/usr/sbin/sysctl", "-n", name],
            capture_output=True,
            text=True,
            timeout=_ASK_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def _arm_name(fields: dict[str, str]) -> str | None:
    maker, part = fields.get("CPU implementer"), fields.get("CPU part")
    if maker is None or part is None:
        return None
    return f"{_ARM_MAKERS.get(maker, maker)} {_ARM_CORES.get((maker, part), part)}"


def _apple_flags(ask: AskSysctl) -> set[str]:
    return {flag for name, flag in _APPLE_FLAGS.items() if ask(name) == "1"}


def _windows_name() -> str | None:
    if sys.platform == "win32":
        import winreg

        path = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
                return str(winreg.QueryValueEx(key, "ProcessorNameString")[0])
        except OSError:
            return None
    return None


def _windows_flags() -> set[str]:
    if sys.platform == "win32":
        import ctypes

        return _present(ctypes.windll.kernel32.IsProcessorFeaturePresent)
    return set()


def _present(is_present: Callable[[int], object]) -> set[str]:
    return {flag for number, flag in _WINDOWS_FLAGS.items() if is_present(number)}
