"""Both sides of every threshold, and readings that a system can't give."""

from __future__ import annotations

import pytest

from pytest_llmbench.metrics.taint import (
    ACCEPTED_PACE,
    ACCEPTED_RUN_DELAY,
    ACCEPTED_STEAL,
    THROTTLING,
    Machine,
    round_pace,
    taint,
)

from .facts import HERE, make_contention


def test_a_quiet_round_is_clean():
    assert taint(make_contention(), HERE) is None


@pytest.mark.parametrize(("run_delay_s", "tainted"), [(0.1, False), (0.101, True)])
def test_run_queue_delay_per_wall_second(run_delay_s, tainted):
    assert bool(taint(make_contention(wall_s=2.0, run_delay_s=run_delay_s), HERE)) is tainted


@pytest.mark.parametrize(("steal_s", "tainted"), [(0.4, False), (0.404, True)])
def test_steal_per_processor_and_wall_second(steal_s, tainted):
    assert (
        bool(taint(make_contention(wall_s=2.0, steal_s=steal_s), Machine(processors=4))) is tainted
    )


@pytest.mark.parametrize(("run_delay_s", "tainted"), [(0.0009, False), (0.0011, True)])
def test_the_scheduler_s_grain_disturbs_no_short_round(run_delay_s, tainted):
    found = taint(make_contention(wall_s=0.004, run_delay_s=run_delay_s), HERE)
    assert bool(found) is tainted


@pytest.mark.parametrize(("steal_s", "tainted"), [(0.01, False), (0.02, True)])
def test_one_tick_of_steal_disturbs_no_short_round(steal_s, tainted):
    assert bool(taint(make_contention(wall_s=0.05, steal_s=steal_s), HERE)) is tainted


def test_steal_is_not_judged_without_the_number_of_processors():
    assert taint(make_contention(steal_s=0.9), Machine()) is None


@pytest.mark.parametrize(
    ("reason", "tainted"),
    [
        ("hw_slowdown", True),
        ("HW_Thermal_Slowdown", True),
        ("sw_thermal_slowdown", True),
        ("hw_power_brake_slowdown", True),
        ("hw_power_brake", True),
        ("sw_power_cap", False),
        ("gpu_idle", False),
        ("application_clocks", False),
        ("sync_boost", False),
    ],
)
def test_clock_reasons(reason, tainted):
    assert bool(taint(make_contention(reasons=(reason,)), HERE)) is tainted


def test_what_a_system_cannot_tell_is_no_taint():
    silent = make_contention(run_delay_s=None, steal_s=None, reasons=None)
    assert taint(silent, HERE) is None
    assert taint(make_contention(wall_s=0.0, run_delay_s=1.0, steal_s=1.0), HERE) is None


def test_the_reasons_in_words():
    everything = make_contention(
        run_delay_s=0.71, steal_s=0.4, reasons=("sw_power_cap", "hw_slowdown"), celsius=91.4
    )
    assert taint(everything, HERE) == (
        "its threads waited for a processor 71 % of the time (accepted: 5 %) and the hypervisor "
        "gave 20 % of the processors' time to others (accepted: 5 %) and the GPU lowered its "
        "clocks at 91 °C (hw_slowdown)"
    )
    no_sensor = make_contention(reasons=("hw_slowdown",), celsius=None)
    assert taint(no_sensor, HERE) == "the GPU lowered its clocks (hw_slowdown)"


# --- pace --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paces_s", "pace_s"), [(None, None), ((1.0, 3.0), 3.0), ((5.0, 2.0), 5.0)]
)
def test_the_worse_moment_counts(paces_s, pace_s):
    assert round_pace(make_contention(paces_s=paces_s)) == pace_s


@pytest.mark.parametrize("best_s", [1e-4, 0.2])
@pytest.mark.parametrize(("step", "tainted"), [(-0.3, False), (-0.001, False), (0.001, True)])
def test_the_pace_of_a_fixed_piece_of_work(best_s, step, tainted):
    pace_s = best_s * (ACCEPTED_PACE + step)
    found = taint(make_contention(paces_s=(pace_s, pace_s)), Machine(pace_s=best_s))
    assert bool(found) is tainted


def test_pace_is_not_judged_without_a_usual_one():
    assert taint(make_contention(paces_s=(9.0, 9.0)), HERE) is None
    assert taint(make_contention(paces_s=None), Machine(pace_s=1.0)) is None


def test_a_slow_pace_in_words():
    slow = make_contention(paces_s=(1.7e-3, 2e-3), run_delay_s=0.71)
    assert taint(slow, Machine(pace_s=1e-3)) == (
        "its threads waited for a processor 71 % of the time (accepted: 5 %) and the machine "
        "itself was slow: a fixed piece of work took 2.00 times as long as usual (accepted: "
        f"{ACCEPTED_PACE:g})"
    )


def test_the_limits_are_shares():
    assert 0 < ACCEPTED_RUN_DELAY < 1
    assert 0 < ACCEPTED_STEAL < 1
    assert "sw_power_cap" not in THROTTLING
