"""A noisy metric: both sides of every limit, and what holds in any direction and unit."""

from __future__ import annotations

import dataclasses
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.alarms import SUSPICIOUS, doubtful
from pytest_llmbench.verdict.evidence import Evidence, log_bound, quantile
from pytest_llmbench.verdict.noisy import BLIND, compare_noisy, is_plain
from tests.verdict.facts import make_held

from .facts import make_tolerance

OK, REGRESSED = VerdictKind.OK, VerdictKind.REGRESSED
IMPROVED, INCONCLUSIVE = VerdictKind.IMPROVED, VerdictKind.INCONCLUSIVE

ITL, TPS = CATALOGUE["itl_s"], CATALOGUE["decode_tps"]
ALPHA = 1e-3
FREEDOM = 8.0
ERROR = 0.02
SHARE = 0.01
BOUND = math.log1p(SHARE)
STEP = 1e-9


def changed_by(change, error=ERROR, freedom=FREEDOM):
    return make_held(Evidence(change=change, error=error, freedom=freedom), sessions=3)


def compared(change, *, error=ERROR, metric=ITL, share=SHARE, amount=0.0, now=1.0, alpha=ALPHA):
    return compare_noisy(
        metric, changed_by(change, error), now, share=share, amount=amount, alpha=alpha
    )


def kind(change, **fields):
    return compared(change, **fields).kind


SURE, SUSPECTED = (quantile(p, FREEDOM) * ERROR for p in (ALPHA, doubtful(ALPHA)))


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (BOUND + SURE + STEP, REGRESSED),
        (BOUND + SURE - STEP, INCONCLUSIVE),
        (BOUND + SUSPECTED + STEP, INCONCLUSIVE),
        (BOUND + SUSPECTED - STEP, OK),
        (0.0, OK),
        (-BOUND - SURE + STEP, OK),
        (-BOUND - SURE - STEP, IMPROVED),
    ],
)
def test_both_sides_of_every_limit(change, verdict):
    assert kind(change) is verdict
    higher = {"share": 0.0, "metric": TPS}
    moved = change - math.copysign(BOUND, change) if change else 0.0
    assert kind(moved, **higher) is verdict, "the same in the other direction"


WIDEST = math.log1p(BLIND) / quantile(ALPHA, FREEDOM)


@pytest.mark.parametrize("share", [0.0, SHARE, 0.6, 5.0])
@pytest.mark.parametrize(("error", "verdict"), [(WIDEST - STEP, OK), (WIDEST + STEP, INCONCLUSIVE)])
def test_an_interval_too_wide_carries_no_ok_whatever_is_accepted(share, error, verdict):
    assert kind(0.0, share=share, error=error) is verdict


def test_even_a_wide_interval_can_lie_beyond_what_is_accepted():
    assert kind(5.0, error=2 * WIDEST) is REGRESSED
    assert kind(-5.0, error=2 * WIDEST) is IMPROVED


def test_the_numbers():
    found = compared(math.log(1.2), now=0.012)
    assert found.metric == "itl_s"
    assert (found.now, found.before) == (0.012, pytest.approx(0.01))
    assert found.worsening == pytest.approx(0.2)
    assert found.low == pytest.approx(1.2 * math.exp(-SURE) - 1)
    assert found.high == pytest.approx(1.2 * math.exp(SURE) - 1)
    assert found.detectable == pytest.approx((1 + SHARE) * math.exp(SURE) - 1)
    assert found.p == found.held.evidence.p_worse(BOUND)
    assert (found.alpha, found.accepted) == (ALPHA, SHARE)


def test_the_numbers_where_higher_is_better():
    found = compared(math.log(1.25), metric=TPS, now=8.0)
    assert (found.now, found.before) == (8.0, pytest.approx(10.0))
    assert found.worsening == pytest.approx(0.2)
    assert found.low == pytest.approx(1 - math.exp(SURE) / 1.25)
    assert found.high == pytest.approx(1 - math.exp(-SURE) / 1.25)
    assert found.detectable == pytest.approx(1 - (1 - SHARE) * math.exp(-SURE))


# --- what is accepted --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "amount", "before", "accepted"),
    [
        (0.01, 0.0, 0.02, 0.01),
        (0.0, 0.001, 0.02, 0.05),
        (0.1, 0.001, 0.02, 0.1),
        (0.01, 0.001, 0.0001, 10.0),
    ],
)
def test_the_larger_of_share_and_amount_is_accepted(share, amount, before, accepted):
    found = compared(0.0, share=share, amount=amount, now=before)
    assert found.accepted == pytest.approx(accepted)


@pytest.mark.parametrize(("times", "verdict"), [(1.9, OK), (4.0, REGRESSED)])
def test_an_accepted_amount_holds_below_any_share(times, verdict):
    before, amount = 50e-6, 50e-6
    assert kind(math.log(times), amount=amount, now=before * times) is verdict


def test_a_rate_that_may_fall_by_all_of_it_is_never_regressed():
    assert kind(9.0, metric=TPS, share=1.0) is OK


@given(st.floats(-2, 2), st.floats(1e-3, 0.05), st.floats(0, 0.9), st.floats(0, 0.9))
def test_a_wider_tolerance_never_regresses_what_a_narrower_one_did_not(change, error, one, other):
    narrow, wide = (kind(change, error=error, share=share) for share in sorted((one, other)))
    assert narrow is REGRESSED or wide is not REGRESSED


# --- in any unit and direction -----------------------------------------------------------------

ORDER = {IMPROVED: 0, OK: 1, INCONCLUSIVE: 2, REGRESSED: 3}
changes, errors = st.floats(-2, 2), st.floats(1e-4, 0.5)


@given(changes, errors, st.floats(1e-6, 1e6))
def test_the_unit_does_not_matter(change, error, now):
    assert kind(change, error=error, now=now) is kind(change, error=error)


@given(changes, errors)
def test_lower_and_higher_are_judged_alike(change, error):
    assert kind(change, error=error, share=0.0) is kind(change, error=error, share=0.0, metric=TPS)


@given(changes, changes, st.floats(1e-4, WIDEST))
def test_worse_is_never_judged_better(one, other, error):
    better, worse = sorted((one, other))
    assert ORDER[kind(better, error=error)] <= ORDER[kind(worse, error=error)]


@given(changes, errors, st.floats(1e-6, 0.04), st.floats(1e-6, 0.04))
def test_a_surer_session_never_regresses_what_a_less_sure_one_did_not(change, error, one, other):
    sure, lax = (kind(change, error=error, alpha=alpha) for alpha in sorted((one, other)))
    assert sure is not REGRESSED or lax is REGRESSED


@given(changes, errors, st.sampled_from([ITL, TPS]))
def test_the_interval_contains_the_change(change, error, metric):
    found = compared(change, error=error, metric=metric)
    assert found.low <= found.worsening <= found.high
    assert found.accepted <= found.detectable
    assert (found.kind is REGRESSED) == (found.low > found.accepted)


@given(st.floats(1e-4, WIDEST), st.sampled_from([ITL, TPS]))
def test_what_is_called_detectable_is_detected(error, metric):
    found = compared(0.0, error=error, metric=metric)
    as_sum = log_bound(found.detectable, better=metric.better)
    assert kind(as_sum + STEP, error=error, metric=metric) is REGRESSED
    assert kind(as_sum - STEP, error=error, metric=metric) is not REGRESSED


@given(errors)
def test_no_change_is_never_bad(error):
    assert kind(0.0, error=error) in {OK, INCONCLUSIVE}


# --- plain already -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "plain"),
    [
        (SUSPICIOUS / 1000 * 0.99, True),
        (SUSPICIOUS / 1000 * 1.01, False),
        (0.5, False),
        (1 - SUSPICIOUS * 1.01, False),
        (1 - SUSPICIOUS * 0.99, True),
    ],
)
def test_plain_is_clearly_worse_or_clearly_not(p, plain):
    itl = msgspec.structs.replace(ITL, tolerance=SHARE)
    change = BOUND + quantile(p, FREEDOM) * ERROR
    assert is_plain(itl, changed_by(change), None) is plain


def test_plain_heeds_the_user_s_tolerance():
    held = changed_by(math.log(1.2), error=0.005)
    assert is_plain(ITL, held, make_tolerance("itl_s", 0.5))
    assert not is_plain(ITL, held, make_tolerance("itl_s", 0.2))


@pytest.mark.parametrize(
    ("ground", "moved", "verdict"),
    [("ratio", True, OK), ("ratio", False, IMPROVED), ("absolute", True, IMPROVED)],
)
def test_a_ratio_that_became_better_for_a_slower_reference_is_no_praise(ground, moved, verdict):
    better = dataclasses.replace(
        changed_by(-BOUND - SURE - STEP),
        ground=ground,
        moved=("ref", changed_by(SURE).evidence) if moved else None,
    )
    found = compare_noisy(ITL, better, 1.0, share=SHARE, amount=0.0, alpha=ALPHA)
    assert found.kind is verdict
