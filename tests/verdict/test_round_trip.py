"""A session judged against itself, saved and read back: nothing to say."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.baselines.format import decode, encode
from pytest_llmbench.baselines.session import baseline_session
from pytest_llmbench.domain.metric import CATALOGUE, Kind
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.judge import judge_case, judge_life, missing_cases

from .facts import (
    KEY,
    make_baseline,
    make_environment,
    make_facts,
    make_gates,
    make_life,
    make_record,
)


def values(of):
    """Any values of a case's or a variant's metrics; exact ones to the last digit."""
    names = [metric.name for metric in CATALOGUE.values() if metric.of == of]
    amount = st.floats(1e-6, 1e12) | st.integers(0, 2**50).map(float)
    return st.dictionaries(st.sampled_from(names), amount, min_size=1)


def exact(of):
    names = (m.name for m in CATALOGUE.values() if m.of == of and m.kind is Kind.EXACT)
    return make_gates(**dict.fromkeys(names, 0.0))


@given(values("case"), values("variant"))
def test_a_saved_session_is_ok_against_itself(of_case, of_life):
    record, life = make_record(**of_case), make_life(**of_life)
    environment = make_environment()
    session = baseline_session("2026-01-01T00:00:00Z", environment, [life], [record])
    baseline = decode(encode(make_baseline(session)), Path("box/main.json"))
    said = (
        *judge_case(record, make_facts(), environment, exact("case"), baseline),
        *judge_life(life, environment, exact("variant"), baseline),
    )
    assert {verdict.kind for verdict in said} <= {VerdictKind.OK}
    assert missing_cases(baseline, [KEY], lambda _v, _s: True) == ()
