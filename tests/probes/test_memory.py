import threading
import time

import pytest

from pytest_llmbench.domain.trace import HostMemory
from pytest_llmbench.probes.memory import PeakSampler, memory_pass, read_memory

PASS = """
from pytest_llmbench.probes.memory import memory_pass
block = bytearray(b"x") * (96 << 20)
del block
with memory_pass() as watch:
    block = bytearray(b"x") * (32 << 20)
    del block
reading = watch.reading()
print(watch.before.rss_peak - watch.before.rss, reading.host.rss_peak - watch.before.rss)
"""


def host(rss, used=0):
    return HostMemory(rss=rss, rss_anon=None, rss_file=None, rss_peak=None, system_used=used)


def in_time(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_one_moment_holds_host_and_device(proc):
    memory = read_memory(proc=proc.root)
    assert memory.host.rss == 100 * 1024
    assert memory.device is None


def test_the_sampler_keeps_what_came_and_went():
    readings = iter([host(1, 1), host(9, 2), host(3, 7)])
    with PeakSampler(lambda: next(readings, host(1, 1)), interval_s=0.001) as sampler:
        in_time(lambda: sampler.samples > 4)
    assert sampler.rss_peak == 9
    assert sampler.system_used_peak == 7


def test_the_sampler_has_a_peak_however_short_the_pass():
    with PeakSampler(lambda: host(5), interval_s=60) as sampler:
        pass
    assert (sampler.rss_peak, sampler.samples) == (5, 2)


def test_the_samplers_thread_ends_with_it():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), PeakSampler(lambda: host(5)):
        _ = 1 / 0
    assert threading.active_count() == before


def test_a_pass_uses_the_kernels_mark_where_it_can_be_reset(proc):
    proc.write("self/clear_refs", "")
    proc.status(rss=100, peak=900)
    with memory_pass(proc=proc.root) as watch:
        proc.status(rss=120, peak=300)
    assert watch.before.rss_peak == 900 * 1024
    assert watch.reading().host.rss == 120 * 1024
    assert watch.reading().host.rss_peak == 300 * 1024


def test_a_pass_samples_where_the_mark_can_not_be_reset(proc):
    proc.status(rss=100, peak=900)
    samples = threading.active_count()
    with memory_pass(proc=proc.root, interval_s=60) as watch:
        assert threading.active_count() == samples + 1
        proc.status(rss=120, peak=900)
    assert watch.reading().host.rss_peak == 120 * 1024


def test_a_pass_keeps_the_highest_used_memory_it_read(proc):
    proc.meminfo(total=1000, available=100)
    with memory_pass(proc=proc.root, interval_s=60) as watch:
        proc.meminfo(total=1000, available=500)
    assert watch.reading().host.system_used == 900 * 1024


def test_a_reading_before_the_end_is_refused(proc):
    early = pytest.raises(RuntimeError, match="before its end")
    with memory_pass(proc=proc.root, interval_s=60) as watch, early:
        watch.reading()
    assert watch.reading()


def test_a_pass_that_failed_has_no_reading(proc):
    with pytest.raises(ZeroDivisionError), memory_pass(proc=proc.root) as watch:
        _ = 1 / 0
    with pytest.raises(RuntimeError):
        watch.reading()


def test_a_real_pass_sees_its_own_peak_alone(run_python):
    earlier, own = map(int, run_python(PASS).split())
    assert earlier > 90 << 20
    assert 28 << 20 < own < 40 << 20
