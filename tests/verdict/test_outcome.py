"""What a list of verdicts comes to."""

from __future__ import annotations

import itertools

import pytest

from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.verdict.outcome import SEVERITY, failing, quiet_kinds, worst

POLICIES = ("pass", "warn", "fail")


def verdicts(*kinds):
    return [Verdict(metric="", kind=kind, sentence=kind) for kind in kinds]


def test_every_kind_has_its_place():
    assert sorted(SEVERITY) == sorted(VerdictKind)
    assert worst([]) is None


def test_the_worst_wins_in_any_order():
    for one, other in itertools.permutations(SEVERITY, 2):
        first = min(one, other, key=SEVERITY.index)
        assert worst(verdicts(one, other)) is first


def kinds_of(found):
    return {verdict.kind for verdict in found}


@pytest.mark.parametrize(("missing", "inconclusive"), list(itertools.product(POLICIES, POLICIES)))
def test_policies(missing, inconclusive):
    every = verdicts(*VerdictKind)
    asked = {
        VerdictKind.MISSING: missing,
        VerdictKind.INCONCLUSIVE: inconclusive,
        VerdictKind.INCOMPARABLE: inconclusive,
        VerdictKind.REGRESSED: "fail",
        VerdictKind.ERROR: "fail",
    }
    found = failing(every, missing, inconclusive)
    assert kinds_of(found) == {kind for kind, wanted in asked.items() if wanted == "fail"}
    quiet = quiet_kinds(missing, inconclusive)
    assert quiet == {kind for kind, wanted in asked.items() if wanted == "pass"}


def test_the_order_is_kept():
    some = verdicts(VerdictKind.REGRESSED, VerdictKind.OK, VerdictKind.ERROR)
    assert list(failing(some, "warn", "warn")) == [some[0], some[2]]
