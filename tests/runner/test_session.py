"""One session wired together: what its parts know of each other, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_llmbench.baselines.session import baseline_session
from pytest_llmbench.config import Config, load_config
from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.record import Environment, Readings
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.engines import engine_options
from pytest_llmbench.metrics.taint import Machine
from pytest_llmbench.runner import session as sessions
from pytest_llmbench.runner.plan import suite_cases
from pytest_llmbench.runner.progress import Quiet
from pytest_llmbench.runner.session import Session, kept_session, usual_pace
from tests.support import variant

pytestmark = pytest.mark.usefixtures("steady_machine")

HERE = Environment(identity={"cpu": "any"}, context={})
ELSEWHERE = Environment(identity={"cpu": "other"}, context={})
CONFIG = """\
reference = "a"
[variants.a]
engine = "scripted"
[variants.b]
engine = "scripted"
[suites.own]
path = "own.toml"
"""
PROMPTS = "".join(f'[[prompts]]\nid = "p{n}"\nprompt = "Say {n}."\n' for n in range(2))
Make = Callable[..., Session]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "llmbench.toml").write_text(CONFIG)
    (tmp_path / "own.toml").write_text(PROMPTS)
    return load_config(tmp_path / "llmbench.toml", engine_options())


@pytest.fixture
def cases(config: Config) -> tuple[Case, ...]:
    return suite_cases(config.suites["own"], config.variants)


@pytest.fixture
def make(config: Config, cases: tuple[Case, ...]) -> Iterator[Make]:
    """Sessions of the configuration, which end with the test."""
    made: list[Session] = []

    def session(baseline: Baseline | None = None, **keys: object) -> Session:
        keys = {"environment": HERE, "progress": Quiet(), **keys}
        made.append(Session(config, cases, baseline=baseline, **keys))
        return made[-1]

    yield session
    for each in made:
        each.close()


def kept(*paces: tuple[Environment, float | None]) -> Baseline:
    every = tuple(
        BaselineSession(
            saved_at="then",
            environment=where,
            variants={},
            cases={},
            readings=Readings(pace_s=pace),
        )
        for where, pace in paces
    )
    return Baseline(schema_version=2, machine="box", name="main", sessions=every)


def test_the_usual_pace_is_this_machine_s_own() -> None:
    assert usual_pace(None, HERE) is None
    assert usual_pace(kept((HERE, None), (ELSEWHERE, 1.0)), HERE) is None
    assert usual_pace(kept((HERE, 3.0), (HERE, 2.0), (HERE, 9.0), (ELSEWHERE, 1.0)), HERE) == 3.0


def test_the_parts_know_of_each_other(make: Make, cases: tuple[Case, ...]) -> None:
    baseline = kept((HERE, 2.0))
    session = make(baseline)
    context = session.judged.context
    assert context.records is session.bench.cases
    assert context.lives is session.bench.variants
    assert (context.baseline, context.cases, context.reference) == (baseline, cases, "a")
    assert context.alarms.cases == 2 * len(cases), "two groups of metrics are judged"
    assert context.machine("a").pace_s == 2.0
    assert session.plan.members(0) == ("a", "b")
    assert session.apart == ()


def test_the_reference_counts_twice_where_others_take_turns_with_it(make: Make) -> None:
    twins = {name: variant(f"{name}@x", "scripted") for name in "ab"}
    counts = [
        session.judged.context.alarms.variants
        for session in (make(), make(mode="off"), make(twins=twins))
    ]
    assert counts == [2 * 3, 2 * 2, 2 * 2]


def test_what_was_loaded_for_a_verdict_is_freed_with_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make()
    lives = session.bench.lives
    lives.ready("a")

    def confirmed(name: str) -> tuple[Verdict, ...]:
        lives.end("a")
        lives.ready("a")
        lives.ready("b")
        return ()

    monkeypatch.setattr(session.confirming, "variant", confirmed)
    session.life("b")
    assert lives.loaded == ("a",), "it was loaded before"
    session.life("a")
    assert lives.loaded == ()


def test_a_life_is_judged_with_the_variant_as_a_whole_before_it(
    make: Make, cases: tuple[Case, ...]
) -> None:
    first = make()
    for case in cases:
        first.confirming.case(case)
    record = first.record()
    session, _ = kept_session(record, "now", lambda _: Machine())
    baseline = Baseline(schema_version=2, machine="box", name="main", sessions=(session,))
    second = make(baseline)
    for case in cases:
        second.confirming.case(case)
    record, verdicts = second.life("b")
    told = [verdict.metric for verdict in verdicts]
    assert told[:2] == ["ttft_s", "itl_s"]
    assert "rss_after_load_bytes" in told[2:]
    assert record.id == "b"
    assert "free_s" in record.life_cycle, "it was freed"
    unheard, control = second.last_measurements()
    assert {name for name, _ in unheard} == {"a"}, "b was heard"
    assert control == {}, "they took turns, so that no control is needed"


def test_a_variant_that_nobody_needs_is_freed(make: Make, cases: tuple[Case, ...]) -> None:
    session = make()
    session.bench.measure(cases[0])
    session.end_variant("a")
    assert "free_s" in session.bench.variants["a"].life_cycle


def test_twins_are_compared_side_by_side_and_end_with_their_variant(
    make: Make, cases: tuple[Case, ...]
) -> None:
    twins: dict[str, Variant] = {name: variant(f"{name}@x", "scripted") for name in ("a", "b")}
    session = make(comparing=False, twins=twins)
    for case in cases:
        _, verdicts = session.confirming.case(case)
        assert {v.kind for v in verdicts} == {VerdictKind.OK}
    session.life("a")
    assert "free_s" in session.bench.variants["a@x"].life_cycle
    record = session.record()
    assert {one.record.id for one in record.variants} == {"a", "b"}
    assert {one.record.case.variant for one in record.cases} == {"a", "b"}


def test_a_planted_slowdown_and_the_number_of_launches_are_handed_on(
    make: Make, cases: tuple[Case, ...]
) -> None:
    session = make(slowdowns={"b": 1.0}, launches=2)
    for case in cases:
        session.bench.measure(case)
    ratios = [r.relative["itl_s"] for r in session.bench.cases.values() if r.relative]
    assert [ratio.value for ratio in ratios] == pytest.approx([2.0, 2.0])
    assert {len(ratio.launches) for ratio in ratios} == {2}


def test_the_times_of_disturbed_cases_are_not_kept(
    make: Make, cases: tuple[Case, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make()
    for case in cases:
        session.bench.measure(case)
    record = session.record({"itl_s": 0.1})
    assert record.control == {"itl_s": 0.1}
    asked: list[Machine] = []
    answers = iter([None, object(), None, None])
    monkeypatch.setattr(
        sessions, "disturbance", lambda _, machine: asked.append(machine) or next(answers)
    )
    machine = Machine(processors=3)
    found, untimed = kept_session(record, "now", lambda _: machine)
    assert asked == [machine] * 4
    assert untimed == {record.cases[1].record.case.key}
    (key,) = untimed
    assert not [n for n in found.cases[key].metrics if CATALOGUE[n].kind is Kind.NOISY]
    assert (found.reference, found.readings) == ("a", record.readings)
    plain = baseline_session("now", HERE, (), (one.record for one in record.cases))
    assert all(found.cases[k] == case for k, case in plain.cases.items() if k != key)
