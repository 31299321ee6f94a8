"""Which processors share a core, and which cores are of the fastest kind."""

from __future__ import annotations

import os
import sys

import pytest

from pytest_llmbench.probes.cores import allowed_processors, fast_and_other_cores


def write(root, processor: int, siblings: str | None, **speed: object) -> None:
    folder = root / f"devices/system/cpu/cpu{processor}"
    (folder / "topology").mkdir(parents=True)
    if siblings is not None:
        (folder / "topology/thread_siblings_list").write_text(f"{siblings}\n")
    if "capacity" in speed:
        (folder / "cpu_capacity").write_text(f"{speed['capacity']}\n")
    if "khz" in speed:
        (folder / "cpufreq").mkdir()
        (folder / "cpufreq/cpuinfo_max_freq").write_text(f"{speed['khz']}\n")


def test_hardware_threads_of_a_core_stand_together(tmp_path) -> None:
    for processor in range(4):
        write(tmp_path, processor, f"{processor % 2},{processor % 2 + 2}", khz=3_000_000)
    fast, other = fast_and_other_cores(range(4), sys_root=tmp_path)
    assert fast == [(0, 2), (1, 3)]
    assert other == []
    assert fast_and_other_cores({1, 2, 3}, sys_root=tmp_path)[0] == [(1, 3), (2,)]


@pytest.mark.parametrize("unit", ["capacity", "khz"])
def test_small_cores_are_the_others(tmp_path, unit: str) -> None:
    """Favoured cores (the first) are of the fast kind like their neighbours."""
    for processor, speed in enumerate([5_800, 5_500, 4_300, 4_300]):
        write(tmp_path, processor, str(processor), **{unit: speed})
    fast, other = fast_and_other_cores(range(4), sys_root=tmp_path)
    assert (fast, other) == ([(0,), (1,)], [(2,), (3,)])


def test_where_nothing_is_told_all_are_cores_of_one_kind(tmp_path) -> None:
    assert fast_and_other_cores({3, 7}, sys_root=tmp_path) == ([(3,), (7,)], [])
    assert fast_and_other_cores((), sys_root=tmp_path) == ([], [])


@pytest.mark.skipif(sys.platform != "linux", reason="no affinity elsewhere")
def test_this_process_may_use_some() -> None:
    assert allowed_processors() == os.sched_getaffinity(0)
    fast, other = fast_and_other_cores(allowed_processors())
    assert {p for core in (*fast, *other) for p in core} == allowed_processors()
