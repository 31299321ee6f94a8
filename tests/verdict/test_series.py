"""A metric over sessions: what can be compared with the newest one, and gaps."""

from __future__ import annotations

from pytest_llmbench.domain.baseline import (
    Baseline,
    BaselineCase,
    BaselineSession,
    BaselineVariant,
)
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import Environment
from pytest_llmbench.verdict.series import (
    case_series,
    cases_of,
    life_series,
    series_across,
    variants_of,
)

ITL, SCORE, LOAD = (CATALOGUE[name] for name in ("itl_s", "score", "load_s"))


def session(machine="box", model="m", workload="w", load_s=1.0, **metrics) -> BaselineSession:
    cases = {
        "s/v-p": BaselineCase(variant="v", workload={"prompt": workload}, metrics=dict(metrics))
    }
    return BaselineSession(
        saved_at="2026-01-01T00:00:00+00:00",
        environment=Environment(identity={"cpu": machine}, context={}),
        variants={
            "v": BaselineVariant(identity={"m": model}, settings={}, metrics={"load_s": load_s})
        },
        cases=cases if metrics else {},
    )


def baseline(*sessions: BaselineSession) -> Baseline:
    return Baseline(schema_version=2, machine="box", name="main", sessions=sessions)


def test_one_value_a_session_and_gaps() -> None:
    kept = baseline(session(itl_s=1.0), session(score=1.0), session(), session(itl_s=2.0))
    assert case_series(kept, "s/v-p", ITL) == (1.0, None, None, 2.0)
    assert case_series(kept, "s/v-p", SCORE) == (None, 1.0, None, None)
    assert case_series(kept, "s/other", ITL) == (None,) * 4


def test_other_work_another_model_and_another_machine_are_gaps() -> None:
    now = session(itl_s=2.0, score=1.0, load_s=3.0)
    others = (
        session(itl_s=1.0, score=0.0, workload="x"),
        session(itl_s=1.0, score=0.0, model="x"),
        session(itl_s=1.0, score=0.0, machine="x"),
    )
    kept = baseline(*others, now)
    assert case_series(kept, "s/v-p", ITL) == (None, None, None, 2.0)
    assert case_series(kept, "s/v-p", SCORE) == (None, None, 0.0, 1.0)
    assert life_series(kept, "v", LOAD) == (1.0, None, None, 3.0)
    assert life_series(kept, "gone", LOAD) == (None,) * 4


def test_across_cases_those_count_that_are_always_there() -> None:
    always, sometimes = (1.0, None, 3.0), (9.0, None, None)
    assert series_across(ITL, [always, sometimes]) == (1.0, None, 3.0)
    assert series_across(ITL, [always, (3.0, None, 5.0)]) == (2.0, None, 4.0)


def test_where_none_is_always_there_all_count() -> None:
    assert series_across(ITL, [(1.0, None), (None, 2.0)]) == (1.0, 2.0)
    assert series_across(ITL, []) == ()


def test_what_there_is() -> None:
    kept = baseline(session(itl_s=1.0), session())
    assert cases_of(kept) == {"s/v-p": "v"}
    assert variants_of(kept) == ("v",)
