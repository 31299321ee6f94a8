"""How much processor time the control group leaves to this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pytest_llmbench.probes.procfs import read_text


def cpu_quota(*, proc: Path, sys_root: Path) -> float | None:
    """Return the processors' worth of time that the strictest control group allows.

    Both versions of control groups are read, from this process's group up to the root that it
    sees (a container's own). ``None`` where there is no limit.
    """
    mount = sys_root / "fs" / "cgroup"
    quotas: list[float] = []
    for controllers, group in _memberships(proc):
        for folder in _folders(mount, controllers, group):
            quota = _v2_quota(folder) or _v1_quota(folder)
            if quota is not None:
                quotas.append(quota)
    return min(quotas, default=None)


def _memberships(proc: Path) -> Iterator[tuple[str, str]]:
    """The control groups of this process: their controllers (none in version 2) and path."""
    for line in (read_text(proc / "self" / "cgroup") or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) == 3 and (not parts[1] or "cpu" in parts[1].split(",")):
            yield parts[1], parts[2]


def _folders(mount: Path, controllers: str, group: str) -> Iterator[Path]:
    names = (controllers, "cpu") if controllers else ("", "unified")
    roots = (mount / name for name in names)
    inner = PurePosixPath(group.lstrip("/"))
    for root in dict.fromkeys(roots):
        for part in (inner, *inner.parents):
            if ".." not in part.parts:
                yield root / part


def _v2_quota(folder: Path) -> float | None:
    words = (read_text(folder / "cpu.max") or "").split()
    return _ratio(words[0], words[1]) if len(words) == 2 else None


def _v1_quota(folder: Path) -> float | None:
    quota = read_text(folder / "cpu.cfs_quota_us")
    period = read_text(folder / "cpu.cfs_period_us")
    return _ratio(quota, period) if quota and period else None


def _ratio(quota: str, period: str) -> float | None:
    """Microseconds over microseconds; ``None`` for ``max`` and ``-1``, which are no limit."""
    if not (quota.isdigit() and period.isdigit()) or int(period) == 0:
        return None
    return int(quota) / int(period)
