"""The operating system's name and major release, as far as results depend on it."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from pytest_llmbench.probes.procfs import read_text


def operating_system(*, etc: Path, system: str | None = None, release: str | None = None) -> str:
    """Return ``Linux (Debian 12)``, ``Linux (Ubuntu 24) on WSL``, ``macOS 15``, ``Windows 11``.

    *system* and *release* are :mod:`platform`'s, or stand-ins for them.
    """
    system = platform.system() if system is None else system
    release = platform.release() if release is None else release
    if system == "Linux":
        return f"Linux ({_distribution(etc)}){' on WSL' if is_wsl(release) else ''}"
    if system == "Darwin":
        return f"macOS {platform.mac_ver()[0].split('.')[0] or release}"
    return f"{system} {release}".strip() or "unknown"


def is_wsl(kernel_release: str) -> bool:
    """Say whether this kernel is the Windows Subsystem for Linux's, by its release's name."""
    return "microsoft" in kernel_release.lower()


def transparent_huge_pages(*, sys_root: Path) -> str | None:
    """Return the setting in force (``always``, ``madvise``, ``never``); ``None`` without it."""
    text = read_text(sys_root / "kernel" / "mm" / "transparent_hugepage" / "enabled") or ""
    chosen = re.search(r"\[(\w+)\]", text)
    return chosen[1] if chosen else None


def _distribution(etc: Path) -> str:
    fields: dict[str, str] = {}
    for line in (read_text(etc / "os-release") or "").splitlines():
        key, equals, value = line.partition("=")
        if equals:
            fields[key] = value.strip().strip("\"'")
    name = fields.get("NAME", "unknown").removesuffix(" GNU/Linux").removesuffix(" Linux")
    return f"{name} {fields.get('VERSION_ID', '').split('.')[0]}".strip()
