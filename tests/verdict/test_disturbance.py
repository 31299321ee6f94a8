"""When a disturbed measuring takes the ground from a verdict."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.metrics.case import FEWEST
from pytest_llmbench.metrics.taint import ACCEPTED_PACE, Machine
from pytest_llmbench.verdict.disturbance import Disturbance, disturbance, softened

from .facts import make_round

QUIET, BUSY, CACHED = make_round(), make_round(run_delay_s=0.71), make_round(cached=5)
HERE = Machine(processors=2)
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
        ([QUIET] * FEWEST + [BUSY] * 20, None),
        (
            [QUIET] * (FEWEST - 1) + [BUSY] * 20,
            f"20 of {FEWEST + 19} rounds were disturbed (round {FEWEST}: {WORD})",
        ),
    ],
)
def test_too_few_of_the_rounds_are_left(rounds, sentence):
    found = disturbance(rounds, HERE)
    assert (found and found.sentence) == sentence


@pytest.mark.parametrize(("factor", "slow"), [(0.99, False), (1.01, True)])
def test_a_machine_out_of_pace_disturbs(factor, slow):
    pace = ACCEPTED_PACE * factor
    found = disturbance([make_round(paces_s=(pace, pace))], Machine(pace_s=1.0))
    assert bool(found) is slow
    assert not slow or "the machine itself was slow" in found.sentence


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
