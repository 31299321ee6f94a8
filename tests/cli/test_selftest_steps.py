"""The steps of the self-test in a laboratory that plays a script: order, attempts, what is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from pytest_llmbench.cli import selftest, selftest_session
from pytest_llmbench.cli.selftest import ATTEMPTS, BASELINE_SESSIONS, SelfTest, rest_until_quiet
from pytest_llmbench.cli.selftest_reach import Reach, by_metric
from pytest_llmbench.cli.selftest_rules import Finding, Outcome
from pytest_llmbench.cli.selftest_session import Sample, Trial
from pytest_llmbench.domain.baseline import BaselineCase, BaselineSession
from pytest_llmbench.domain.record import Environment, SessionRecord
from pytest_llmbench.domain.trace import Contention
from pytest_llmbench.metrics.taint import ACCEPTED_PACE

ENVIRONMENT = Environment(identity={}, context={})
NOTHING = SessionRecord(environment=ENVIRONMENT, variants=(), cases=(), missing=())
PASSED, FAILED, UNSURE = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE


def sample(
    *keys: str, disturbed: tuple[str, ...] = (), errors: tuple[str, ...] = (), apart: str = ""
) -> Sample:
    """A session of cases that are called ``variant/number``."""
    cases = {
        key: BaselineCase(variant=key.partition("/")[0], workload={}, metrics={}) for key in keys
    }
    kept = BaselineSession(saved_at="now", environment=ENVIRONMENT, variants={}, cases=cases)
    return Sample(
        kept=kept,
        errors=errors,
        disturbed=dict.fromkeys(disturbed, "8 of 8 rounds were disturbed"),
        absent={},
        apart=(apart,) if apart else (),
    )


@dataclasses.dataclass
class Laboratory:
    """Plays *samples* and, by what is planted, *outcomes*; writes down what it was asked for."""

    samples: list[Sample]
    outcomes: dict[str, list[Outcome]]
    subject: SimpleNamespace
    pace_s: float | None = 1e-4
    kept: list[bool] = dataclasses.field(default_factory=list)
    judged: list[dict[str, float]] = dataclasses.field(default_factory=list)

    def measure(self) -> Sample:
        return self.samples.pop(0) if self.samples else sample("a/1", "b/1")

    def keep(self, _: Sample, *, first: bool) -> None:
        self.kept.append(first)

    def judge(self, slowdowns: Mapping[str, float]) -> Trial:
        self.judged.append(dict(slowdowns))
        return Trial(NOTHING, (reach("a", 0.2 / len(self.judged), launches=len(self.judged)),))


def reach(variant: str, detectable: float, *, launches: int = 1) -> Reach:
    return Reach(
        variant=variant,
        metric="itl_s",
        detectable=detectable,
        accepted=0.01,
        ground="ratio",
        to="b",
        sessions=3,
        launches=launches,
        cases=2,
    )


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch):
    """A way to run the self-test on a script; returns its finding, and all that was noted."""

    def run(
        samples: tuple[Sample, ...] = (), **outcomes: list[Outcome]
    ) -> tuple[Finding, Laboratory, list[float | None], SelfTest]:
        subject = SimpleNamespace(cases={"a": (), "b": ()})
        subject.without = lambda names: subject
        laboratory = Laboratory(list(samples), outcomes, subject)
        rests: list[float | None] = []

        def judge(record: SessionRecord, planted: str = "unchanged", *_: object) -> Finding:
            told = outcomes.get(planted, [])
            outcome = told.pop(0) if told else PASSED
            return Finding(outcome, f"{planted} {outcome}")

        monkeypatch.setattr(selftest, "judge_unchanged", judge)
        monkeypatch.setattr(selftest, "judge_planted", judge)
        test = SelfTest(laboratory, 0.25, rest=rests.append)  # type: ignore[arg-type]
        return test.run(), laboratory, rests, test

    return run


def test_a_baseline_then_the_same_code_then_each_variant_in_turn(steps, capsys) -> None:
    finding, laboratory, rests, _ = steps()
    assert finding.outcome is PASSED
    assert laboratory.kept == [True, *[False] * (BASELINE_SESSIONS - 1)]
    assert laboratory.judged == [{}, {"a": 0.25}, {"b": 0.25}]
    assert rests == []
    said = [line.partition("  passed")[0].strip() for line in capsys.readouterr().out.splitlines()]
    assert said[-3:] == ["the same code again", "25 % planted in a", "25 % planted in b"]


def test_what_cannot_be_told_is_tried_again_after_a_rest(steps, capsys) -> None:
    finding, laboratory, rests, _ = steps(unchanged=[UNSURE, UNSURE], a=[UNSURE])
    assert finding.outcome is PASSED
    assert laboratory.judged == [{}, {}, {}, {"a": 0.25}, {"a": 0.25}, {"b": 0.25}]
    assert rests == [laboratory.pace_s] * 3
    assert capsys.readouterr().out.count("; once more (") == 3


@pytest.mark.parametrize(("variant", "judged"), [("unchanged", 1), ("a", 2), ("b", 3)])
def test_nothing_comes_after_what_does_not_pass(steps, variant: str, judged: int) -> None:
    finding, laboratory, rests, _ = steps(**{variant: [FAILED]})
    assert finding.outcome is FAILED
    assert len(laboratory.judged) == judged
    assert rests == [], "an accusation is not tried away"
    finding, laboratory, rests, _ = steps(**{variant: [UNSURE] * ATTEMPTS})
    assert finding.outcome is UNSURE
    assert len(laboratory.judged) == judged - 1 + ATTEMPTS
    assert len(rests) == ATTEMPTS - 1


@pytest.mark.parametrize(
    ("disturbed", "kept"),
    [((), True), (("a/1",), True), (("a/1", "b/1"), True), (("a/1", "a/2"), False)],
)
def test_a_session_is_kept_where_every_variant_has_two_timed_cases(
    steps, capsys, disturbed: tuple[str, ...], kept: bool
) -> None:
    every = ("a/1", "a/2", "a/3", "b/1", "b/2", "b/3")
    _, laboratory, rests, _ = steps((sample(*every, disturbed=disturbed),))
    assert len(rests) == (0 if kept else 1)
    assert laboratory.kept == [True, False, False]
    said = f"{len(disturbed)} of them without times" in capsys.readouterr().out
    assert said is (kept and bool(disturbed))


def test_a_variant_with_one_case_needs_that_one() -> None:
    assert sample("a/1", "b/1").timeless == ()
    assert sample("a/1", "b/1", disturbed=("b/1",)).timeless == ("b",)


def test_a_baseline_with_errors_is_none(steps) -> None:
    finding, laboratory, rests, _ = steps((sample("a/1", errors=("no such weights",)),))
    assert finding == Finding(FAILED, "not everything could be measured", ("no such weights",))
    assert (laboratory.kept, rests) == ([], [])


def test_why_variants_are_apart_is_said_once(steps, capsys) -> None:
    apart = "'b' is loaded alone; type --llmbench-interleave=on"
    disturbed = sample("a/1", "b/1", disturbed=("a/1",), apart=apart)
    steps((disturbed, sample("a/1", "b/1", apart=apart)))
    assert capsys.readouterr().out.count("  'b' is loaded alone; type --interleave=on\n") == 1


def test_the_reach_of_every_judged_session_is_noted(steps, capsys) -> None:
    *_, test = steps()
    subject = test.laboratory.subject
    assert [each.detectable for each in test.reach] == pytest.approx([0.2, 0.1, 0.2 / 3])
    capsys.readouterr()
    selftest._say_reach(test.reach, subject)
    assert capsys.readouterr().out == (
        "\nwhat could be found here, held against 3 sessions\n"
        "  a  itl_s  20 % and more  6.7 % in 3 launches  its ratio to b, 2 cases\n"
    )
    selftest._say_reach([], subject)
    assert capsys.readouterr().out == ""


def test_what_is_found_at_once_and_what_at_best() -> None:
    once, again, best = reach("a", 0.2), reach("a", 0.18), reach("a", 0.05, launches=4)
    other = reach("b", 0.3)
    measured = [other, once, best, again]
    assert by_metric(measured, ["a", "b", "c"]) == ((again, best), (other, other))


def contention(run_delay_s: float) -> Contention:
    return Contention(
        wall_s=1.0,
        run_delay_s=run_delay_s,
        involuntary_switches=0,
        steal_s=0.0,
        load_1m=0.0,
        gpu_clock_reasons=None,
        gpu_temperature_c=None,
    )


@pytest.mark.parametrize(
    ("paces", "delays", "known_s", "looks"),
    [
        ([1.0], [0.0], 1.0, 1),
        ([ACCEPTED_PACE * 1.01, 1.0], [0.0], 1.0, 2),
        ([1.0, 1.0, 1.0], [0.5, 0.5, 0.0], 1.0, 3),
        ([9.0], [0.0], None, 1),
    ],
)
def test_a_rest_lasts_until_the_machine_is_quiet_and_quick(
    monkeypatch: pytest.MonkeyPatch,
    paces: list[float],
    delays: list[float],
    known_s: float | None,
    looks: int,
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(selftest, "visit_processors", lambda: (paces.pop(0), 9.0))
    monkeypatch.setattr(selftest, "burning", lambda *_: contention(delays.pop(0)))
    monkeypatch.setattr(selftest.time, "sleep", slept.append)
    rest_until_quiet(known_s)
    assert len(slept) == looks - 1


def test_no_rest_is_longer_than_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(100))
    monkeypatch.setattr(selftest, "burning", lambda *_: contention(0.5))
    monkeypatch.setattr(selftest.time, "sleep", lambda _: None)
    monkeypatch.setattr(selftest.time, "monotonic", lambda: next(now))
    rest_until_quiet()
    assert 10 <= next(now) <= 13


def test_the_baseline_has_a_name_of_its_own() -> None:
    assert selftest_session.NAME == "selftest"
