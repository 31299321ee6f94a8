"""Rounds of several launches become one record, and turns one ratio."""

from __future__ import annotations

import math

import msgspec
import pytest

from pytest_llmbench.domain.trace import Contention
from pytest_llmbench.runner.measurements import HERE, Measurements, Pace, failed, place_of
from tests.runner.facts import (
    BUSY,
    MACHINE,
    MEMORY,
    QUIET,
    Script,
    make_case,
    make_round,
    make_sampled,
    run_alone,
)
from tests.support import variant

MINE, OTHER = make_case("mine"), make_case("other")


def taken(measurements: Measurements, case, *rounds, memory=None) -> None:
    """Add a launch's *rounds* of *case*."""
    sampled = make_sampled(case)
    sampled.rounds, sampled.memory, sampled.warmup_s = list(rounds), memory, 1.5
    measurements.take(sampled)


def rounds(gaps_ms, *, launch=0, turn=0) -> list:
    return [make_round(gap, launch=launch, turn=turn + n) for n, gap in enumerate(gaps_ms)]


def recorded(measurements: Measurements, case=MINE, other=OTHER):
    return measurements.record(case, MACHINE, other=other, quality=True)


def test_launches_are_joined() -> None:
    measurements = Measurements()
    taken(measurements, MINE, *rounds([1, 1, 1]), memory=MEMORY)
    assert measurements.has_memory(MINE.key)
    taken(measurements, MINE, *rounds([3, 3, 3], launch=1, turn=3))
    record = recorded(measurements)
    assert [entry.launch for entry in record.rounds] == [0, 0, 0, 1, 1, 1]
    assert record.metrics["itl_s"].launches == pytest.approx((1e-3, 3e-3))
    assert record.metrics["itl_s"].gate == pytest.approx(2e-3)
    assert record.warmup_s == 3.0
    assert record.memory == MEMORY
    assert record.metrics["rss_peak_bytes"].value == 5
    assert (record.text, record.finish_reason) == ("a b", "stop")


def test_a_whole_case_has_its_metrics() -> None:
    measurements = Measurements()
    measurements.take(run_alone(make_sampled(MINE, Script(gaps_ms=[2.0, 2.1, 2.2]))))
    record = recorded(measurements)
    assert record.metrics["itl_s"].rounds == pytest.approx((2e-3, 2.1e-3, 2.2e-3))
    assert record.relative == {}


def test_of_random_weights_the_text_is_not_scored() -> None:
    scored = msgspec.structs.replace(
        MINE, prompt=msgspec.structs.replace(MINE.prompt, expect="a", score="contains")
    )
    measurements = Measurements()
    taken(measurements, scored, *rounds([1, 1, 1]))
    assert "score" in measurements.record(scored, MACHINE, other=None, quality=True).metrics
    assert "score" not in measurements.record(scored, MACHINE, other=None, quality=False).metrics


def test_what_is_forgotten_begins_anew() -> None:
    measurements = Measurements()
    taken(measurements, MINE, *rounds([9, 9, 9]), memory=MEMORY)
    measurements.forget(MINE.key)
    assert not measurements.has_memory(MINE.key)
    taken(measurements, MINE, *rounds([1, 1, 1]))
    assert recorded(measurements).metrics["itl_s"].rounds == pytest.approx((1e-3,) * 3)


def test_a_draft_has_the_earlier_launches_in_front() -> None:
    measurements = Measurements()
    taken(measurements, MINE, *rounds([1, 1, 1]))
    draft = measurements.draft(MINE, rounds([2], launch=1, turn=3), MACHINE)
    assert draft.metrics["itl_s"].rounds == pytest.approx((1e-3, 1e-3, 1e-3, 2e-3))
    assert len(recorded(measurements).rounds) == 3, "a draft changes nothing"


def test_the_ratio_is_that_of_the_turns() -> None:
    measurements = Measurements()
    taken(measurements, MINE, *rounds([2, 4, 6]))
    taken(measurements, OTHER, *rounds([1, 2, 3]))
    ratio = recorded(measurements).relative["itl_s"]
    assert ratio.to == "other"
    assert ratio.value == pytest.approx(2.0)


def test_the_other_s_processes_are_counted_on_their_own() -> None:
    """The other was launched again for somebody else's sake; the turns are what counts."""
    measurements = Measurements()
    taken(measurements, MINE, *rounds([2, 4, 6], turn=10))
    taken(measurements, OTHER, *rounds([9, 9, 9], launch=0, turn=0))
    taken(measurements, OTHER, *rounds([1, 2, 3], launch=5, turn=10))
    ratio = recorded(measurements).relative["itl_s"]
    assert ratio.value == pytest.approx(2.0)
    assert ratio.launches == pytest.approx((2.0,))


def test_a_launch_of_two_bouts_has_one_ratio() -> None:
    measurements = Measurements()
    for turn, gap in ((0, 2), (7, 4)):
        taken(measurements, MINE, *rounds([gap] * 3, turn=turn))
        taken(measurements, OTHER, *rounds([1] * 3, turn=turn))
    taken(measurements, MINE, *rounds([8] * 3, launch=1, turn=20))
    taken(measurements, OTHER, *rounds([1] * 3, launch=1, turn=20))
    assert recorded(measurements).relative["itl_s"].launches == pytest.approx(
        (math.sqrt(2 * 4), 8.0)
    )


def test_without_a_turn_in_common_there_is_no_ratio() -> None:
    measurements = Measurements()
    taken(measurements, MINE, *rounds([2, 2, 2], turn=0))
    taken(measurements, OTHER, *rounds([1, 1, 1], turn=5))
    assert recorded(measurements).relative == {}
    assert recorded(measurements, other=None).relative == {}
    assert recorded(measurements, other=make_case("nobody")).relative == {}


def test_disturbed_rounds_make_no_ratio() -> None:
    measurements = Measurements()
    taken(measurements, MINE, *rounds([2, 2, 2]), make_round(9, turn=3, contention=BUSY))
    taken(measurements, OTHER, *rounds([1, 1, 1, 1]))
    assert recorded(measurements).relative["itl_s"].value == pytest.approx(2.0)


def test_what_failed_has_an_error_alone() -> None:
    record = failed(MINE, "it died")
    assert (record.error, record.rounds, record.metrics) == ("it died", (), {})


def paced(*paces_s: float) -> Contention:
    return msgspec.structs.replace(QUIET, paces_s=paces_s)


BOX = ("ssh=box", None)


def test_what_is_usual_in_each_place_is_the_median() -> None:
    pace = Pace(None)
    assert (pace.now_s(HERE), pace.usual_s(HERE)) == (None, None)
    pace.see(HERE, paced(3.0, 3.5))
    assert pace.usual_s(HERE) == 3.5, "at its worse moment"
    pace.see(HERE, paced(5.0, 5.0))
    pace.see(HERE, paced(9.0, 9.0))
    pace.see(HERE, QUIET)
    assert (pace.now_s(HERE), pace.usual_s(HERE)) == (5.0, 5.0)
    assert pace.usual_s(BOX) is None
    pace.see(BOX, paced(1.0, 1.0))
    assert (pace.usual_s(HERE), pace.usual_s(BOX)) == (5.0, 1.0)


def test_another_interpreter_has_a_pace_of_its_own() -> None:
    slow = msgspec.structs.replace(variant("v", "scripted"), python="/opt/debug/bin/python")
    pace = Pace(1.0)
    pace.see(place_of(slow), paced(2.0, 2.0))
    assert (pace.usual_s(place_of(slow)), pace.usual_s(HERE)) == (2.0, 1.0)
    assert place_of(variant("v", "scripted")) == HERE


def test_what_was_usual_in_earlier_sessions_counts_here_only() -> None:
    pace = Pace(2.0)
    assert (pace.now_s(HERE), pace.usual_s(HERE)) == (None, 2.0)
    pace.see(HERE, paced(3.0, 3.0))
    pace.see(BOX, paced(3.0, 3.0))
    assert (pace.now_s(HERE), pace.usual_s(HERE), pace.usual_s(BOX)) == (3.0, 2.0, 3.0)
    pace.see(HERE, paced(1.0, 1.0))
    pace.see(HERE, paced(1.0, 1.0))
    assert pace.usual_s(HERE) == 1.0, "the quicker of the two"
