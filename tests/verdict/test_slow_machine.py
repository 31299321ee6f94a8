"""A slow machine is not a slow engine: when the machine's own workload takes a verdict's ground."""

from __future__ import annotations

import math

import msgspec
import pytest

from pytest_llmbench.domain.record import Readings
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.verdict.evidence import Evidence
from pytest_llmbench.verdict.slow_machine import (
    SHARE,
    machine_moved,
    machine_slowdown,
    slowdown,
    softened_by_machine,
)
from tests.verdict.facts import make_held

BEFORE = (Readings(pace_s=1e-3, calibration_s=0.1),)
CHANGE = math.log(1.3)
SLOW = Verdict(
    metric="itl_s", kind=VerdictKind.REGRESSED, sentence="slow", block=(("now", "4 ms"),), p=1e-9
)
JUST = math.exp(SHARE * CHANGE)


def held(change=CHANGE, aside=None, moved=None):
    evidence = Evidence(change=change, error=0.01, freedom=5.0)
    return make_held(evidence, aside=aside, moved=moved)


def soft(**now):
    return softened_by_machine(SLOW, held(), BEFORE, Readings(**now))


@pytest.mark.parametrize(
    ("factor", "kind"),
    [
        (0.9, VerdictKind.REGRESSED),
        (1.0, VerdictKind.REGRESSED),
        (JUST * (1 - 1e-9), VerdictKind.REGRESSED),
        (JUST * (1 + 1e-9), VerdictKind.INCONCLUSIVE),
        (2.0, VerdictKind.INCONCLUSIVE),
    ],
)
def test_half_of_the_change_is_enough(factor, kind):
    assert soft(calibration_s=0.1 * factor).kind is kind
    assert soft(pace_s=1e-3 * factor).kind is kind


def test_it_says_what_became_slower():
    found = soft(calibration_s=0.12, pace_s=1e-3)
    clause = "its memory-bound workload takes 20 % longer than in the baseline"
    assert found.sentence == f"slow, but the machine itself is slower: {clause}"
    assert found.block == (("now", "4 ms"), ("machine", clause))
    assert (found.p, found.machine_slowed) == (SLOW.p, True)
    clause = "a fixed piece of work takes 50 % longer than in the baseline"
    assert soft(pace_s=1.5e-3).block[-1] == ("machine", clause)


@pytest.mark.parametrize("kind", [k for k in VerdictKind if k is not VerdictKind.REGRESSED])
def test_only_a_regression_loses_its_ground(kind):
    verdict = Verdict(metric="itl_s", kind=kind, sentence="x", p=0.02)
    now = Readings(calibration_s=9.0)
    marked = msgspec.structs.replace(verdict, machine_slowed=True)
    assert softened_by_machine(verdict, held(), BEFORE, now) == marked


@pytest.mark.parametrize("kind", VerdictKind)
def test_what_did_not_become_slower_has_no_cause(kind):
    now = Readings(calibration_s=9.0)
    verdict = Verdict(metric="itl_s", kind=kind, sentence="x", p=0.9)
    for change in (0.0, -0.01):
        assert softened_by_machine(verdict, held(change), BEFORE, now) is verdict


@pytest.mark.parametrize("ratio", [{"aside": held(0.05)}, {"moved": ("ref", held().evidence)}])
def test_a_ratio_that_does_not_decide_may_yet(ratio):
    """So it is measured again, though it can't regress by its own past."""
    found = softened_by_machine(SLOW, held(**ratio), BEFORE, Readings(calibration_s=9.0))
    assert (found.kind, found.machine_slowed) == (VerdictKind.INCONCLUSIVE, False)


@pytest.mark.parametrize("kind", [VerdictKind.OK, VerdictKind.REGRESSED])
def test_a_machine_that_slowed_by_too_little_is_no_cause(kind):
    verdict = Verdict(metric="itl_s", kind=kind, sentence="x", p=0.02)
    now = Readings(calibration_s=0.1 * JUST * (1 - 1e-9), pace_s=1e-3 * JUST * (1 - 1e-9))
    assert softened_by_machine(verdict, held(), BEFORE, now) is verdict


def test_what_was_not_read_says_nothing():
    assert soft() is SLOW
    now = Readings(calibration_s=9.0, pace_s=9.0)
    assert softened_by_machine(SLOW, held(), (), now) is SLOW
    assert softened_by_machine(SLOW, held(), (Readings(), Readings()), now) is SLOW


def test_the_median_session_is_what_counts():
    before = [Readings(pace_s=pace) for pace in (1.0, 9.0, 1.0)] + [Readings()]
    assert slowdown(before, Readings(pace_s=2.0), "pace_s") == pytest.approx(math.log(2))


def test_any_number_of_sessions_may_be_told():
    found = softened_by_machine(SLOW, held(), iter(BEFORE), Readings(pace_s=9.0))
    assert found.kind is VerdictKind.INCONCLUSIVE


@pytest.mark.parametrize(
    ("change", "factor", "moved"),
    [
        (1.3, JUST * 1.001, True),
        (1.3, JUST * 0.999, False),
        (1.3, 1 / 1.3, False),
        (1 / 1.3, 1 / 1.3, True),
        (1 / 1.3, 1 / (JUST * 0.999), False),
        (1 / 1.3, 1.3, False),
    ],
)
def test_whether_the_machine_moved_the_same_way_by_half_as_much(change, factor, moved):
    for now in (Readings(pace_s=1e-3 * factor), Readings(calibration_s=0.1 * factor)):
        assert machine_moved(math.log(change), BEFORE, now) is moved


def test_a_machine_that_was_not_read_did_not_move():
    assert not machine_moved(CHANGE, BEFORE, Readings())
    assert not machine_moved(CHANGE, (), Readings(pace_s=9.0))


def test_it_has_to_move_further_than_its_sessions_are_apart():
    before = tuple(Readings(pace_s=pace) for pace in (0.9e-3, 1e-3, 1.1e-3))
    assert machine_moved(math.log(1.05), BEFORE, Readings(pace_s=1.05e-3))
    assert not machine_moved(math.log(1.05), before, Readings(pace_s=1.05e-3))
    assert machine_moved(math.log(1.05), before, Readings(pace_s=1.12e-3))


@pytest.mark.parametrize(
    ("now", "slowed"),
    [
        (Readings(calibration_s=0.12, pace_s=1e-3), 0.2),
        (Readings(calibration_s=0.12, pace_s=1.3e-3), 0.3),
        (Readings(calibration_s=0.08, pace_s=0.9e-3), 0.0),
        (Readings(), 0.0),
    ],
)
def test_the_machine_is_as_slow_as_the_slower_of_its_workloads(now, slowed):
    before = [Readings(calibration_s=0.1, pace_s=1e-3)]
    assert machine_slowdown(before, now) == pytest.approx(math.log1p(slowed))
