"""How far apart a baseline's sessions are, pooled over the cases of a variant."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_llmbench.domain.baseline import (
    Baseline,
    BaselineCase,
    BaselineSession,
    BaselineVariant,
)
from pytest_llmbench.domain.record import Environment
from pytest_llmbench.verdict.history import Sample, pooled_spread

HERE = Environment(identity={"processor": "one"}, context={})
ELSEWHERE = Environment(identity={"processor": "other"}, context={})
NOW = Sample(environment=HERE, workload={}, identity={"dtype": "f32"}, settings={}, metrics={})


def session(values, *, environment=HERE, dtype="f32"):
    return BaselineSession(
        saved_at="2026-01-01",
        environment=environment,
        variants={"v": BaselineVariant(identity={"dtype": dtype}, settings={}, metrics={})},
        cases={
            f"s/v-{number}": BaselineCase(
                variant="v", workload={"prompt": str(number)}, metrics={"itl_s": value}
            )
            for number, value in enumerate(values)
        },
    )


def pooled(*sessions):
    baseline = Baseline(schema_version=1, machine="m", name="main", sessions=sessions)
    return pooled_spread(baseline, "v", "itl_s", NOW)


@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_it_finds_the_spread_that_is_there(count):
    generator = np.random.default_rng(5)
    levels = generator.uniform(0.001, 0.1, 400)
    drawn = [levels * np.exp(0.05 * generator.standard_normal(400)) for _ in range(count)]
    assert pooled(*map(session, drawn)) == pytest.approx(0.05, rel=0.25)


def test_one_session_shows_none():
    assert pooled(session([1.0, 2.0])) is None


def test_one_bad_session_of_five_does_not_count():
    calm = [session([1.0, 2.0, 3.0]), session([1.02, 1.98, 3.03])] * 2
    assert pooled(*calm, session([9.0, 20.0, 30.0])) < 0.05


def test_a_handful_of_values_is_no_pool():
    assert pooled(session([1.0, 2.0, 3.0, 4.0]), session([1.1, 2.1, 3.1, 4.1])) is None
    assert pooled(session([1.0] * 5), session([1.1] * 5)) == pytest.approx(0.1, rel=0.01)


def test_other_machines_and_other_models_do_not_count():
    calm = [session([1.0, 2.0]), session([1.01, 2.01])] * 3
    alone = pooled(*calm)
    assert alone < 0.02
    others = [session([9.0, 9.0], environment=ELSEWHERE), session([9.0, 9.0], dtype="f16")]
    assert pooled(*calm, *others, *others) == alone


def test_a_changed_prompt_is_another_case():
    one, other = session([1.0]), session([4.0])
    case = BaselineCase(variant="v", workload={"prompt": "new"}, metrics={"itl_s": 4.0})
    changed = BaselineSession(
        saved_at=other.saved_at,
        environment=HERE,
        variants=other.variants,
        cases={"s/v-0": case},
    )
    assert pooled(*[one] * 9, changed) is None
    assert pooled(*[one] * 10, changed) == 0.0
