"""Change points: rarely where nothing changed, at the right place where something did."""

from __future__ import annotations

import math
import random

import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.verdict.changes import FALSE_CHANGES, Change, change_points, enough

ITL, SCORE, RSS, KL = (CATALOGUE[name] for name in ("itl_s", "score", "rss_peak_bytes", "kl_mean"))
MIB = 2.0**20


def noisy(seed: int, spread: float, sessions: int = 10, **steps: float) -> list[float]:
    """Times of so many sessions; ``at5=1.2`` makes those from the sixth on so much longer."""
    rng = random.Random(seed)
    level = 0.02
    values = []
    for number in range(sessions):
        level *= steps.get(f"at{number}", 1.0)
        values.append(level * math.exp(rng.gauss(0, spread)))
    return values


def places(metric, values, **how) -> list[int]:
    return [change.at for change in change_points(metric, values, **how)]


@pytest.mark.parametrize("sessions", [4, 6, 10])
@pytest.mark.parametrize("spread", [0.0, 0.002, 0.015, 0.03, 0.1])
def test_noise_is_no_change(spread: float, sessions: int) -> None:
    trials = 300
    false = sum(bool(places(ITL, noisy(seed, spread, sessions))) for seed in range(trials))
    # What is promised, and three standard deviations of so many trials.
    most = FALSE_CHANGES + 3 * math.sqrt(FALSE_CHANGES * (1 - FALSE_CHANGES) / trials)
    assert false / trials <= most


@pytest.mark.parametrize("at", [2, 5, 8])
@pytest.mark.parametrize(("spread", "by"), [(0.005, 1.06), (0.015, 1.15), (0.015, 1 / 1.15)])
def test_a_change_is_found_where_it_is(at: int, spread: float, by: float) -> None:
    found = [places(ITL, noisy(seed, spread, **{f"at{at}": by})) for seed in range(100)]
    assert sum(at in each for each in found) >= 90


def test_two_changes() -> None:
    values = noisy(1, 0.005, at3=1.2, at7=0.8)
    first, second = change_points(ITL, values)
    assert (first.at, second.at) == (3, 7)
    assert first.before == pytest.approx(0.02, rel=0.02)
    assert first.after == second.before == pytest.approx(0.024, rel=0.02)
    assert second.after == pytest.approx(0.0192, rel=0.02)
    assert 0 < max(first.p, second.p) < 0.01


@pytest.mark.parametrize("metric", [ITL, CATALOGUE["decode_tps"]])
@pytest.mark.parametrize(("by", "found"), [(1.009, []), (1.5, [5])])
def test_what_is_accepted_is_no_change(metric, by: float, found: list[int]) -> None:
    assert places(metric, [1.0] * 5 + [by] * 5) == found
    assert places(metric, [1.0] * 5 + [1 / by] * 5) == found


def test_one_slow_session_is_no_change_for_good() -> None:
    for place in range(10):
        values = [0.02] * 10
        values[place] = 0.03
        assert places(ITL, values) == []


@pytest.mark.parametrize(("sessions", "found"), [(3, []), (4, [2])])
def test_it_takes_two_sessions_on_either_side(sessions: int, found: list[int]) -> None:
    values = [0.02, 0.02, 0.03, 0.03][:sessions]
    assert places(ITL, values) == found
    assert enough(ITL, sessions) == bool(found)


def test_gaps_are_passed_over() -> None:
    values = [0.02, None, 0.02, 0.02, None, 0.03, 0.03, None, 0.03]
    assert places(ITL, values) == [5]
    assert places(ITL, [None] * 9) == places(ITL, []) == []


def test_a_time_of_zero_has_no_ratio() -> None:
    assert places(ITL, [0.0, 0.02, 0.02, 0.02, 0.04, 0.04]) == []


def test_a_smaller_alpha_takes_more_proof() -> None:
    values = noisy(4, 0.015, at5=1.06)
    assert places(ITL, values) == [5]
    assert places(ITL, values, alpha=1e-6) == []


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        (SCORE, [1.0, 1.0, 0.0], [Change(at=2, before=1.0, after=0.0, p=None)]),
        (SCORE, [1.0, 1.0, 1.0], []),
        (SCORE, [0.5, 0.500001], [Change(at=1, before=0.5, after=0.500001, p=None)]),
        (RSS, [400 * MIB, 431 * MIB, 425 * MIB], []),
        (
            RSS,
            [400 * MIB, 402 * MIB, 460 * MIB, 462 * MIB],
            [Change(at=2, before=401 * MIB, after=461 * MIB, p=None)],
        ),
        (KL, [0.0, 4e-5, 0.0], []),
        (KL, [0.0, 0.01, 0.01], [Change(at=1, before=0.0, after=0.01, p=None)]),
    ],
)
def test_what_repeats_changes_by_more_than_is_accepted(metric, values, expected) -> None:
    assert list(change_points(metric, values)) == expected
