"""A session judged against itself, saved and read back: nothing to say."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.baselines.format import decode, encode
from pytest_llmbench.baselines.session import baseline_session
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.record import Readings
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.judge import judge_case, judge_life, judge_variant, missing_cases

from .facts import (
    make_baseline,
    make_case,
    make_context,
    make_environment,
    make_gates,
    make_life,
    make_record,
)

READINGS = Readings(pace_s=1e-3, calibration_s=0.1)
TIMES = [m.name for m in CATALOGUE.values() if m.of == "case" and m.kind is Kind.NOISY]


def values(of):
    """Any values of a case's or a variant's metrics; exact ones to the last digit."""
    names = [metric.name for metric in CATALOGUE.values() if metric.of == of]
    amount = st.floats(1e-6, 1e12) | st.integers(0, 2**50).map(float)
    return st.dictionaries(st.sampled_from(names), amount, min_size=1)


def exact(of):
    names = (m.name for m in CATALOGUE.values() if m.of == of and m.kind is Kind.EXACT)
    return make_gates(**dict.fromkeys(names, 0.0))


ratios = st.dictionaries(st.sampled_from(TIMES), st.floats(1e-3, 1e3))


@given(st.lists(values("case"), min_size=1, max_size=3), values("variant"), ratios)
def test_a_saved_session_is_not_bad_against_itself(of_cases, of_life, relative):
    records = [
        make_record(make_case(f"c{n}"), relative=relative, to="ref", **{**relative, **metrics})
        for n, metrics in enumerate(of_cases)
    ]
    lives = {"base": make_life(**of_life), "ref": make_life("ref")}
    session = baseline_session(
        "2026-01-01T00:00:00Z",
        make_environment(),
        lives.values(),
        records,
        reference="ref",
        readings=READINGS,
    )
    baseline = decode(encode(make_baseline(session)), Path("box/main.json"))
    context = make_context(
        records, *baseline.sessions, lives=lives, reference="ref", readings=lambda: READINGS
    )
    said = [
        *(verdict for r in records for verdict in judge_case(r, context, exact("case"))),
        *judge_variant("base", context, exact("case")),
        *judge_life(lives["base"], context, exact("variant")),
    ]
    assert {v.kind for v in said} <= {VerdictKind.OK, VerdictKind.INCONCLUSIVE}
    noisy = {v.metric for v in said if v.kind is VerdictKind.INCONCLUSIVE}
    assert all(CATALOGUE[name].kind is Kind.NOISY for name in noisy), "too little is known of it"
    assert missing_cases(baseline, [r.case.key for r in records], lambda _v, _s: True) == ()
