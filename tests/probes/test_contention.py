import os
import sys
import time

import pytest

from pytest_llmbench.probes.contention import ContentionProbe, read_load

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own files")

PID = 42
STAT = "cpu  10 0 10 100 0 0 0 {steal} 0 0\ncpu0 10 0 10 100 0 0 0 0 0 0\n"
FIGHT = """
import os, sys, time
from pytest_llmbench.probes.contention import ContentionProbe
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
rival = os.fork()
if rival == 0:
    end = time.monotonic() + 10
    while time.monotonic() < end and os.getppid() != 1:
        pass
    os._exit(0)
try:
    probe = ContentionProbe()
    probe.start()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    contention = probe.stop()
finally:
    os.kill(rival, 9)
    os.waitpid(rival, 0)
print(contention.wall_s, contention.run_delay_s, contention.involuntary_switches)
"""


@pytest.fixture
def machine(proc):
    proc.thread(PID, 42, delay=1_000)
    proc.thread(PID, 43, delay=2_000, switches=3)
    proc.write("stat", STAT.format(steal=5))
    proc.write("loadavg", "1.25 0.50 0.10 1/99 1234\n")
    return proc


@pytest.fixture
def probe(machine):
    ticks = iter([10.0, 12.5])
    paces = iter([1e-4, 2e-4])
    return ContentionProbe(
        proc=machine.root, pids=(PID,), clock=lambda: next(ticks), pace=lambda: next(paces)
    )


def test_a_quiet_round_has_zeros(probe):
    probe.start()
    contention = probe.stop()
    assert contention.wall_s == 2.5
    assert contention.run_delay_s == 0.0
    assert contention.involuntary_switches == 0
    assert contention.steal_s == 0.0
    assert contention.load_1m == 1.25
    assert contention.gpu_clock_reasons is None
    assert contention.gpu_temperature_c is None


def test_what_happens_in_a_pause_does_not_count(machine):
    ticks = iter([10.0, 11.0, 20.0, 20.5])
    probe = ContentionProbe(
        proc=machine.root, pids=(PID,), clock=lambda: next(ticks), pace=lambda: 1e-4
    )
    probe.start()
    machine.thread(PID, 42, delay=1_500)
    with probe.paused():
        machine.thread(PID, 42, delay=9_000_000)
        machine.thread(PID, 43, delay=2_000, switches=30)
        machine.write("stat", STAT.format(steal=500))
    machine.thread(PID, 42, delay=9_000_250)
    machine.write("stat", STAT.format(steal=501))
    contention = probe.stop()
    assert contention.wall_s == 1.5
    assert contention.run_delay_s == pytest.approx(750e-9)
    assert contention.involuntary_switches == 0
    assert contention.steal_s == pytest.approx(1 / os.sysconf("SC_CLK_TCK"))


def test_a_probe_that_was_not_started_can_not_pause(probe):
    with pytest.raises(RuntimeError, match="had not been started"), probe.paused():
        pass


def test_the_pace_is_read_on_both_sides_of_the_round(probe):
    probe.start()
    assert probe.stop().paces_s == (1e-4, 2e-4)


def test_the_pace_is_read_outside_of_what_is_timed_and_counted(machine):
    seen = []
    probe = ContentionProbe(
        proc=machine.root,
        pids=(PID,),
        clock=lambda: seen.append("clock") or 0.0,
        pace=lambda: seen.append("pace") or 0.0,
    )
    probe._counters = lambda: seen.append("counters") or before._counters()
    before = ContentionProbe(proc=machine.root, pids=(PID,))
    probe.start()
    probe.stop()
    assert seen == ["pace", "counters", "clock", "clock", "counters", "pace"]


def test_differences_are_summed_over_threads(probe, machine):
    probe.start()
    machine.thread(PID, 42, delay=1_000_001_000, switches=2)
    machine.thread(PID, 43, delay=500_002_000, switches=4)
    machine.write("stat", STAT.format(steal=5 + os.sysconf("SC_CLK_TCK")))
    contention = probe.stop()
    assert contention.run_delay_s == pytest.approx(1.5)
    assert contention.involuntary_switches == 3
    assert contention.steal_s == pytest.approx(1.0)


def test_a_thread_that_came_counts_whole(probe, machine):
    probe.start()
    machine.thread(PID, 44, delay=7_000_000_000)
    assert probe.stop().run_delay_s == pytest.approx(7.0)


def test_a_thread_that_ended_is_never_negative(probe, machine):
    machine.thread(PID, 43, delay=9_000_000_000, switches=50)
    probe.start()
    machine.end_thread(PID, 43)
    machine.thread(PID, 42, delay=1_000_001_000)
    contention = probe.stop()
    assert contention.run_delay_s == pytest.approx(1.0)
    assert contention.involuntary_switches == 0


def test_a_thread_number_given_again_is_never_negative(probe, machine):
    machine.thread(PID, 43, delay=9_000_000_000)
    probe.start()
    machine.thread(PID, 43, delay=5)
    assert probe.stop().run_delay_s == 0.0


def test_a_thread_that_ends_while_it_is_read_is_left_out(probe, machine):
    (machine.root / f"{PID}/task/43/schedstat").unlink()
    probe.start()
    assert probe.stop().run_delay_s == 0.0


def test_a_kernel_without_statistics_is_unknown_not_quiet(probe, machine):
    for thread in (42, 43):
        machine.thread(PID, thread, ran=0, delay=0, slices=0)
    probe.start()
    assert probe.stop().run_delay_s is None


def test_steal_that_falls_is_zero(probe, machine):
    probe.start()
    machine.write("stat", STAT.format(steal=2))
    assert probe.stop().steal_s == 0.0


def test_without_process_files_only_the_system_calls_answer(tmp_path):
    probe = ContentionProbe(proc=tmp_path)
    probe.start()
    contention = probe.stop()
    assert contention.run_delay_s is None
    assert contention.steal_s is None
    assert contention.load_1m is None or contention.load_1m >= 0


def test_another_process_without_files_is_unknown(tmp_path):
    probe = ContentionProbe(proc=tmp_path, pids=(PID,))
    probe.start()
    assert probe.stop().involuntary_switches is None


def test_a_system_without_load_average_is_unknown(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert read_load(proc=tmp_path) is None


def test_a_load_average_that_is_refused_is_unknown(tmp_path, monkeypatch):
    def refuse():
        raise OSError("unobtainable")

    monkeypatch.setattr(os, "getloadavg", refuse, raising=False)
    assert read_load(proc=tmp_path) is None


def test_stopping_before_starting_is_refused(probe):
    with pytest.raises(RuntimeError, match="not been started"):
        probe.stop()


def test_clock_reasons_of_both_ends_and_the_hottest_gpu(machine, gpus, fake_gpu):
    cool, hot = fake_gpu(degrees=41, reasons=0x4), fake_gpu(degrees=77)
    probe = ContentionProbe(proc=machine.root, pids=(PID,), gpus=gpus(cool, hot))
    probe.start()
    cool.reasons, hot.reasons = 0x1, 0x20
    contention = probe.stop()
    assert contention.gpu_clock_reasons == ("sw_power_cap", "sw_thermal_slowdown")
    assert contention.gpu_temperature_c == 77.0


def test_a_gpu_that_tells_nothing_is_unknown(machine, gpus, fake_gpu):
    names = ["CurrentClocksEventReasons", "CurrentClocksThrottleReasons", "Temperature"]
    silent = gpus(fake_gpu(), refuse=[f"nvmlDeviceGet{name}" for name in names])
    probe = ContentionProbe(proc=machine.root, pids=(PID,), gpus=silent)
    probe.start()
    contention = probe.stop()
    assert contention.gpu_clock_reasons is None
    assert contention.gpu_temperature_c is None


@linux
def test_a_real_round_is_read_in_full_and_again():
    probe = ContentionProbe()
    for _ in range(2):
        probe.start()
        time.sleep(0.001)
        contention = probe.stop()
        assert contention.wall_s >= 0.001
        assert contention.involuntary_switches is not None
        assert contention.steal_s is not None
        assert contention.load_1m is not None
        assert contention.paces_s is not None
        assert all(pace > 0 for pace in contention.paces_s)


@linux
def test_a_rival_on_the_same_processor_shows_as_run_delay(run_python):
    wall, delay, switches = map(float, run_python(FIGHT).split())
    assert delay / wall > 0.1
    assert switches >= 1
