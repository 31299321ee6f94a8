import os
import sys

import psutil
import pytest

from pytest_llmbench.probes.host_memory import (
    read_host_memory,
    read_system_total,
    read_system_used,
    reset_rss_peak,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own files")

GROW_AND_FALL = """
import sys
from pytest_llmbench.probes.host_memory import read_host_memory, reset_rss_peak
before = read_host_memory()
block = bytearray(b"x") * (64 << 20)
grown = read_host_memory()
del block
freed = read_host_memory()
possible = reset_rss_peak()
after = read_host_memory()
print(grown.rss - before.rss, freed.rss_peak - before.rss, after.rss_peak - before.rss, possible)
"""


def test_status_and_meminfo_are_read_in_bytes(proc):
    memory = read_host_memory(proc=proc.root)
    assert memory.rss == 100 * 1024
    assert memory.rss_anon == 60 * 1024
    assert memory.rss_file == 40 * 1024
    assert memory.rss_peak == 150 * 1024
    assert memory.system_used == 600 * 1024


def test_a_peak_that_lags_behind_is_at_least_the_resident_size(proc):
    proc.status(rss=200, peak=150)
    assert read_host_memory(proc=proc.root).rss_peak == 200 * 1024


def test_an_old_kernel_tells_no_kinds_of_pages(proc):
    proc.write("self/status", "VmRSS: 100 kB\n")
    memory = read_host_memory(proc=proc.root)
    assert (memory.rss_anon, memory.rss_file, memory.rss_peak) == (None, None, None)


def test_without_process_files_psutil_answers(tmp_path):
    memory = read_host_memory(proc=tmp_path)
    assert memory.rss == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert memory.rss_anon is None
    assert memory.rss_file is None
    assert memory.rss_peak >= memory.rss * 0.9
    assert memory.system_used > 0


def test_without_meminfo_psutil_answers(tmp_path):
    assert read_system_total(proc=tmp_path) == psutil.virtual_memory().total
    assert 0 < read_system_used(proc=tmp_path) < read_system_total(proc=tmp_path)


def test_windows_peak_is_the_peak_working_set(tmp_path, monkeypatch):
    class Windows:
        def __init__(self, pid):
            assert pid is None

        def memory_info(self):
            return type("Info", (), {"rss": 10, "peak_wset": 30})()

    monkeypatch.setattr(psutil, "Process", Windows)
    memory = read_host_memory(proc=tmp_path)
    assert (memory.rss, memory.rss_peak) == (10, 30)


def test_a_peak_that_can_not_be_reset_says_so(tmp_path):
    assert reset_rss_peak(proc=tmp_path) is False
    assert not (tmp_path / "self").exists()


def test_resetting_writes_the_kernels_number(proc):
    proc.write("self/clear_refs", "")
    assert reset_rss_peak(proc=proc.root) is True
    assert (proc.root / "self/clear_refs").read_text() == "5"


def test_a_refused_reset_says_so(proc):
    (proc.root / "self/clear_refs").mkdir()
    assert reset_rss_peak(proc=proc.root) is False


@linux
@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="no reset here")
def test_a_real_process_grows_and_its_peak_falls_back(run_python):
    grown, peak, after, possible = run_python(GROW_AND_FALL).split()
    mib = 1 << 20
    assert 60 * mib < int(grown) < 72 * mib
    assert 60 * mib < int(peak) < 72 * mib
    assert possible == "True"
    assert int(after) < 16 * mib


def test_several_processes_are_added_up(proc):
    proc.write("7/status", "VmHWM: 300 kB\nVmRSS: 200 kB\nRssAnon: 150 kB\nRssFile: 50 kB\n")
    proc.write("8/status", "VmHWM: 30 kB\nVmRSS: 20 kB\nRssAnon: 15 kB\nRssFile: 5 kB\n")
    memory = read_host_memory(pids=(7, 8, 9), proc=proc.root)
    assert (memory.rss, memory.rss_peak) == (220 * 1024, 330 * 1024)
    assert (memory.rss_anon, memory.rss_file) == (165 * 1024, 55 * 1024)


def test_a_process_that_ended_unnoticed_takes_nothing_away(proc):
    proc.write("7/status", "State: S (sleeping)\nVmHWM: 300 kB\nVmRSS: 200 kB\n")
    proc.write("8/status", "State: Z (zombie)\nPid: 8\n")
    memory = read_host_memory(pids=(7, 8), proc=proc.root)
    assert (memory.rss, memory.rss_peak) == (200 * 1024, 300 * 1024)


def test_no_process_has_no_memory(proc):
    memory = read_host_memory(pids=(), proc=proc.root)
    assert (memory.rss, memory.rss_peak, memory.rss_anon) == (0, 0, 0)
