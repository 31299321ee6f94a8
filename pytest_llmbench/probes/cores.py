"""The processors that this process may use, by physical core, the fastest kind first."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from pytest_llmbench.probes.procfs import read_text

SYS: Final = Path("/sys")

ALIKE: Final = 0.85
"""Cores of this share of the fastest one's speed are of its kind; a hybrid processor's small cores
have three quarters and less."""


def allowed_processors() -> frozenset[int]:
    """Return the processors that this process may use; none where the system can't tell."""
    ask = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return frozenset() if ask is None else frozenset(ask(0))


def fast_and_other_cores(
    allowed: Collection[int], *, sys_root: Path = SYS
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Return the *allowed* processors of each core: of those of the fastest kind, and of others.

    Hardware threads of one core stand together. Where the system does not tell, each is a core.
    """
    cores: dict[str, list[int]] = {}
    for processor in sorted(allowed):
        folder = sys_root / f"devices/system/cpu/cpu{processor}"
        siblings = read_text(folder / "topology/thread_siblings_list") or str(processor)
        cores.setdefault(siblings, []).append(processor)
    speeds = {one: _speed(one[0], sys_root) for one in map(tuple, cores.values())}
    least = ALIKE * max(speeds.values(), default=0.0)
    fast = [one for one, speed in speeds.items() if speed >= least]
    return fast, [one for one in speeds if one not in fast]


def _speed(processor: int, sys_root: Path) -> float:
    """Return what the system says of its speed, in whatever unit; zero where it says nothing."""
    folder = sys_root / f"devices/system/cpu/cpu{processor}"
    for name in ("cpu_capacity", "cpufreq/cpuinfo_max_freq"):
        text = read_text(folder / name)
        if text and text.isdecimal():
            return float(text)
    return 0.0
