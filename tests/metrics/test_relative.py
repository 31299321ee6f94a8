"""One variant ÷ another: pairs of turns, launches, and what there is where turns are few."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.metrics.middle import of_middle
from pytest_llmbench.metrics.relative import relative_metrics
from pytest_llmbench.metrics.taint import ACCEPTED_PACE, Machine

from .facts import HERE, make_round

D2_OF_FIVE = 2.326
"""Expected range of five normal values, of control charts."""


def turns(*gaps_ms, launch=0, tainted=(), first=0):
    """One round a turn, its token gaps in ms; ``None`` where the variant had no round."""
    return [
        make_round(
            (gap, 2 * gap, 3 * gap),
            run_delay_s=0.9 if number in tainted else 0.0,
            launch=launch,
            turn=number,
        )
        for number, gap in enumerate(gaps_ms, start=first)
        if gap is not None
    ]


def relative(ours, its, name="itl_s", machine=HERE):
    return relative_metrics(ours, its, "ref", machine).get(name)


def test_the_median_over_the_turns_pairs():
    found = relative(turns(10, 20, 40), turns(5, 20, 80))
    assert (found.to, found.launches) == ("ref", pytest.approx((1.0,)))
    assert found.value == pytest.approx(1.0)


def test_a_slow_minute_that_both_share_cancels_out():
    found = relative(turns(20, 20, 60, 60), turns(10, 10, 30, 30))
    assert found.value == pytest.approx(2.0)
    assert found.error == pytest.approx(0.0, abs=1e-9)


def test_where_higher_is_better_it_is_the_rate_s_multiple():
    found = relative_metrics(turns(20, 20), turns(10, 10), "ref", HERE)
    assert found["decode_tps"].value == pytest.approx(0.5)
    assert found["itl_s"].value == pytest.approx(2.0)


def test_only_turns_that_both_have_are_pairs():
    ours, its = turns(20, None, 20, 90), turns(10, 70, 10)
    assert relative(ours, its).value == pytest.approx(2.0)


@pytest.mark.parametrize("side", ["ours", "its"])
def test_a_turn_in_which_either_was_disturbed_is_no_pair(side):
    tainted = {"ours": {"tainted": {1}}, "its": {"tainted": {1}}}
    ours = turns(20, 999, 20, **(tainted["ours"] if side == "ours" else {}))
    its = turns(10, 10, 10, **(tainted["its"] if side == "its" else {}))
    assert relative(ours, its).value == pytest.approx(2.0)


def test_beside_a_disturbed_counterpart_there_is_no_ratio():
    """The ratio would be the disturbance's; where both are, it is for the judge to say so."""
    calm, busy = turns(20, 20, 20), turns(25, 25, 25, tainted={0, 1, 2})
    assert relative_metrics(calm, busy, "ref", HERE) == {}
    assert relative(busy, calm).value == pytest.approx(1.25)
    assert relative(busy, busy).value == pytest.approx(1.0)


def test_a_turn_out_of_pace_is_no_pair():
    paces_s = (ACCEPTED_PACE * 1.1,) * 2
    slow = make_round((500, 1000, 1500), turn=2, paces_s=paces_s)
    found = relative([*turns(20, 20), slow], turns(10, 10, 10), machine=Machine(pace_s=1.0))
    assert found.value == pytest.approx(2.0)


def test_the_error_is_that_of_the_pairs_middle():
    found = relative(turns(10, 20), turns(10, 10))
    spread = math.log(2) / 1.128
    assert found.error == pytest.approx(spread * math.sqrt(1 / 2))


# --- where pairs are few -----------------------------------------------------------------------


def test_one_pair_is_enough_beside_rounds_that_have_none():
    """What disturbed the one of a turn will have reached the other, and may not have been seen."""
    ours, its = turns(90, 20, 90, 90), turns(10, 10, 10, 10, tainted={0, 2, 3})
    found = relative([*ours, *turns(90, first=9)], [*its, *turns(10, 10, first=4)])
    assert found.value == pytest.approx(2.0)
    assert found.error == pytest.approx(math.log(90 / 20) / D2_OF_FIVE)


def test_one_pair_does_not_say_how_sure_it_is_but_the_pairs_of_another_launch_do():
    ours, its = launches((10, 20), (90,)), launches((10, 10), (10,))
    spread = math.log(2) / 1.128
    assert relative(ours, its).error == pytest.approx(spread * math.sqrt(1 / 2 + 1) / 2)


def test_variants_measured_one_after_the_other_have_no_pairs():
    found = relative(turns(20, 20, 20), turns(10, 10, 10, first=7))
    assert (found.value, found.error) == (pytest.approx(2.0), 0.0)
    rough = relative(turns(20, 20, 40), turns(10, 10, 20, first=7))
    spread = math.hypot(math.log(2), math.log(2)) / 1.693
    assert rough.error == pytest.approx(spread * math.sqrt(of_middle(3)))


# --- launches ----------------------------------------------------------------------------------


def launches(*each):
    return [entry for number, gaps in enumerate(each) for entry in turns(*gaps, launch=number)]


def test_launches_are_their_geometric_mean():
    found = relative(launches((20, 20), (80, 80)), launches((10, 10), (10, 10)))
    assert found.launches == pytest.approx((2.0, 8.0))
    assert found.value == pytest.approx(4.0)


def test_a_launch_that_only_one_of_them_has_says_nothing():
    found = relative(launches((20, 20), (), (60, 60)), launches((10, 10), (10, 10)))
    assert found.launches == pytest.approx((2.0,))


def test_a_launch_without_a_pair_says_nothing_beside_one_that_has():
    ours, its = launches((20, 20), (90, 20)), launches((10, 10), (10, 10))
    busy = turns(90, 20, launch=2), turns(10, 10, launch=2, first=7)
    found = relative([*ours, *busy[0]], [*its, *busy[1]])
    assert found.launches == pytest.approx((2.0, math.sqrt(18)))


def test_errors_of_launches_average_out():
    one = relative(launches((10, 20)), launches((10, 10)))
    four = relative(launches(*[(10, 20)] * 4), launches(*[(10, 10)] * 4))
    assert four.error == pytest.approx(one.error / 2)


# --- what has none -----------------------------------------------------------------------------


def test_nothing_to_divide():
    assert relative_metrics([], turns(10), "ref", HERE) == {}
    assert relative_metrics(turns(10), [], "ref", HERE) == {}
    assert relative_metrics(turns(10), turns(10, launch=1), "ref", HERE) == {}


def test_a_metric_that_one_of_them_lacks_or_that_is_zero():
    single = [make_round((10,), turn=turn) for turn in range(3)]
    assert relative(single, turns(10, 10, 10)) is None
    assert relative(single, turns(10, 10, 10), "ttft_s").value == pytest.approx(1.0)
    zero = [make_round((10, 10, 10), turn=turn) for turn in range(3)]
    assert relative(zero, turns(10, 10, 10)) is None
    assert relative(turns(10, 10, 10), zero) is None


def test_only_noisy_metrics_and_all_of_them():
    found = relative_metrics(turns(20, 20), turns(10, 10), "ref", HERE)
    assert all(CATALOGUE[name].kind is Kind.NOISY for name in found)
    assert {"ttft_s", "itl_s", "latency_s", "decode_tps", "tokenize_s"} <= found.keys()
    assert list(found) == [name for name in CATALOGUE if name in found]


# --- for any rounds ----------------------------------------------------------------------------

gaps = st.lists(st.floats(1, 1000), min_size=2, max_size=6)


@given(gaps, st.sampled_from([2.0, 8.0, 0.5]))
def test_a_factor_on_the_whole_session_changes_nothing(each, factor):
    its = [gap + 3 for gap in each]
    one = relative(turns(*each), turns(*its))
    other = relative(turns(*[g * factor for g in each]), turns(*[g * factor for g in its]))
    assert other.value == pytest.approx(one.value, rel=1e-4)


@given(gaps, gaps)
def test_the_other_way_round_it_is_the_inverse(ours, its):
    one, other = relative(turns(*ours), turns(*its)), relative(turns(*its), turns(*ours))
    assert one.value * other.value == pytest.approx(1.0, rel=1e-6)


@given(gaps, gaps, st.randoms(use_true_random=False))
def test_the_order_of_rounds_does_not_matter(ours, its, chance):
    mine, theirs = turns(*ours), turns(*its)
    shuffled = relative(chance.sample(mine, len(mine)), chance.sample(theirs, len(theirs)))
    assert shuffled == relative(mine, theirs)
