"""Did all variants move together? Then the verdict on each says so."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.judge import judge_variant
from pytest_llmbench.verdict.together import ALIKE

from .facts import make_case, make_context, make_record, only, session_like

TOLD = "; all variants moved together"


def judge(**factors):
    """The verdict on the first variant, each so many times as slow as before."""
    records = [
        make_record(make_case(f"c{n}", variant=variant), itl_s=0.03 * factor)
        for variant, factor in factors.items()
        for n in range(4)
    ]
    before = [
        make_record(make_case(f"c{n}", variant=variant), itl_s=0.03)
        for variant in factors
        for n in range(4)
    ]
    sessions = [session_like(before, factor=factor) for factor in (0.995, 1.0, 1.005)]
    return only(judge_variant(next(iter(factors)), make_context(records, *sessions), Gates()))


def test_all_slower_together():
    verdict = judge(a=1.5, b=1.6, c=1.4)
    assert verdict.kind is VerdictKind.REGRESSED
    assert verdict.sentence.endswith(TOLD)
    assert verdict.block[-1] == (
        "together",
        "b +60 % worse, c +40 % worse: look for what they share",
    )


def test_all_faster_together():
    verdict = judge(a=0.5, b=0.5)
    assert (verdict.kind, verdict.sentence.endswith(TOLD)) == (VerdictKind.IMPROVED, True)


@pytest.mark.parametrize(("step", "told"), [(0.001, True), (-0.001, False)])
def test_both_sides_of_alike(step, told):
    assert judge(a=1.5, b=1.5 ** (ALIKE + step)).sentence.endswith(TOLD) is told


@pytest.mark.parametrize("others", [{"b": 1.0}, {"b": 1.5, "c": 1.0}, {"b": 0.6}, {}])
def test_one_that_did_not_move_along_is_enough(others):
    verdict = judge(a=1.5, **others)
    assert verdict.kind is VerdictKind.REGRESSED
    assert "together" not in verdict.sentence
    assert "together" not in dict(verdict.block)


def test_nothing_is_said_where_all_is_ok():
    verdict = judge(a=1.001, b=1.001)
    assert (verdict.kind, verdict.block) == (VerdictKind.OK, ())
    assert "together" not in verdict.sentence
