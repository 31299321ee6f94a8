"""When a disturbed measuring takes the ground from a verdict."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.verdict.disturbance import Disturbance, disturbance, softened

from .facts import make_round

QUIET, BUSY, CACHED = make_round(), make_round(run_delay_s=0.71), make_round(cached=5)
WORD = "its threads waited for a processor 71 % of the time (accepted: 5 %)"


@pytest.mark.parametrize(
    ("rounds", "sentence"),
    [
        ([], None),
        ([QUIET, QUIET], None),
        ([QUIET, BUSY], None),
        ([QUIET, BUSY, BUSY], f"2 of 3 rounds were disturbed (round 2: {WORD})"),
        ([BUSY], f"1 of 1 rounds were disturbed (round 1: {WORD})"),
        ([CACHED, CACHED, BUSY], None),
    ],
)
def test_more_than_half_of_the_rounds(rounds, sentence):
    found = disturbance(rounds, 2)
    assert (found and found.sentence) == sentence


@pytest.mark.parametrize("metric", ["itl_s", "rss_peak_bytes", "score", ""])
@pytest.mark.parametrize("kind", list(VerdictKind))
def test_which_verdicts_lose_their_ground(kind, metric):
    verdict = Verdict(metric=metric, kind=kind, sentence="slow", block=(("now", "4 ms"),))
    after = softened(verdict, Disturbance(sentence="it was loud"))
    if metric == "itl_s" and kind is VerdictKind.REGRESSED:
        assert after.kind is VerdictKind.INCONCLUSIVE
        assert after.sentence == "slow, but it was loud"
        assert (after.metric, after.block) == (verdict.metric, verdict.block)
    else:
        assert after == verdict


def test_an_undisturbed_verdict_stays():
    verdict = Verdict(metric="itl_s", kind=VerdictKind.REGRESSED, sentence="slow")
    assert softened(verdict, None) is verdict
