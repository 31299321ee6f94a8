"""One metric of a variant, all cases at once: numbers by hand, and what is not there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pytest_llmbench.metrics.middle import of_middle
from pytest_llmbench.verdict.noise import ASSUMED_FREEDOM, Spread
from pytest_llmbench.verdict.panel import mean, welch

from .panels import ASSUMED, make_panel

NAN = math.nan

# R's own example, `t.test(extra ~ group, data = sleep)` (Student's data of 1908), prints
# t = -1.8608, df = 17.776, p-value = 0.07939.
SLEEP = (
    (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
    (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4),
)


def test_welch_and_satterthwaite_by_a_published_example():
    one, other = (np.array(values) for values in SLEEP)
    found = welch(
        float(other.mean() - one.mean()),
        Spread(variance=float(one.var(ddof=1)) / 10, freedom=9),
        Spread(variance=float(other.var(ddof=1)) / 10, freedom=9),
    )
    assert found.change / found.error == pytest.approx(1.8608, abs=5e-5)
    assert found.freedom == pytest.approx(17.776, abs=5e-4)
    assert 2 * found.p_worse(0.0) == pytest.approx(0.07939, abs=5e-6)


# --- by hand -----------------------------------------------------------------------------------


def test_one_session_has_the_assumed_spread_on_both_sides():
    found = make_panel([0.3], [[0.1]]).of_case("c0")
    assert found.change == pytest.approx(0.2)
    assert found.error == pytest.approx(ASSUMED * math.sqrt(2))
    assert found.freedom == pytest.approx(ASSUMED_FREEDOM)


@pytest.mark.parametrize("launches", [1, 2, 4])
@pytest.mark.parametrize("sessions", [1, 2, 5])
def test_launches_and_sessions_by_hand(launches, sessions):
    found = make_panel([[0.3]] * launches, [[0.1]] * sessions).of_case("c0")
    freedom = ASSUMED_FREEDOM + launches - 1 + sessions - 1
    variance = ASSUMED**2 * ASSUMED_FREEDOM / freedom
    assert found.change == pytest.approx(0.2)
    assert found.error == pytest.approx(math.sqrt(variance * (1 / launches + of_middle(sessions))))
    assert found.freedom == pytest.approx(freedom)


@pytest.mark.parametrize("launches", [1, 3])
def test_a_session_of_several_launches_is_known_better_and_shows_less_than_one_of_them(launches):
    now, past = [0.3], [[0.0], [0.1], [0.2]]
    seen = np.var([0.0, 0.1, 0.2], ddof=1) * launches
    variance = (ASSUMED**2 * ASSUMED_FREEDOM + seen * 2) / (ASSUMED_FREEDOM + 2)
    found = make_panel(now, past, before=launches).of_case("c0")
    assert found.change == pytest.approx(0.2)
    assert found.error == pytest.approx(math.sqrt(variance * (1 + of_middle(3) / launches)))


def test_what_a_case_has_of_its_own_is_a_launch_s_too():
    past = np.random.default_rng(0).normal(0, 0.1, (5, 8))
    one, three = (make_panel([0.0] * 8, past, assumed=0.0, before=n) for n in (1, 3))
    wider = math.sqrt(3 * (1 + of_middle(5) / 3) / (1 + of_middle(5)))
    assert three.of_case("c0").error == pytest.approx(one.of_case("c0").error * wider)
    assert three.of_all().error == pytest.approx(one.of_all().error * wider)


def test_sessions_that_show_more_than_is_assumed_count():
    found = make_panel([0.1], [[0.0], [0.2]]).of_case("c0")
    variance = (ASSUMED_FREEDOM * ASSUMED**2 + 0.02) / (ASSUMED_FREEDOM + 1)
    assert found.change == pytest.approx(0.0)
    assert found.error == pytest.approx(math.sqrt(variance * 1.5))


@pytest.mark.parametrize(("within", "expected"), [(0.0, 1.0), (0.02, 0.5 + 0.5 / 4), (0.2, 0.25)])
def test_what_lasts_through_a_session_more_launches_do_not_average_out(within, expected):
    """Launches as far apart as sessions are alike; those that agree share the session's luck."""
    shifts = within * np.array([1.0, -1.0, 1.0, -1.0]) * math.sqrt(3 / 4)
    rows = np.tile(shifts[:, None], (1, 6))
    sessions = [[0.0] * 6]
    lasting = make_panel(rows, sessions, assumed=0.02 * math.sqrt(2), lasting=True)
    one = make_panel([[0.0] * 6], sessions, assumed=0.02 * math.sqrt(2), lasting=True)
    total, now = lasting.shared.variance, lasting.of_all().error ** 2 - lasting.shared.variance
    assert now == pytest.approx(expected * total)
    assert one.of_all().error ** 2 == pytest.approx(2 * one.shared.variance)


def test_a_case_that_is_restless_itself_is_told_from_the_others():
    chance = np.random.default_rng(4)
    past = 0.005 * chance.standard_normal((6, 10))
    past[:, 3] *= 20
    panel = make_panel([0.0] * 10, past, assumed=0.005)
    assert panel.of_case("c3").error > 2 * panel.of_case("c4").error


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_one_launch_that_is_far_off_makes_its_case_less_sure(shift):
    """What is slower in every launch does not, nor what all cases of a launch share."""
    now, past = np.zeros((4, 8)), np.zeros((5, 8))
    now[2] += shift
    now[2, 3], now[:, 5] = now[2, 3] + 0.3, now[:, 5] + 0.075
    panel = make_panel(now, past)
    others, far_off, slower = (panel.of_case(f"c{case}") for case in (4, 3, 5))
    assert far_off.change == pytest.approx(slower.change)
    assert slower.error == pytest.approx(others.error, rel=1e-3)
    own = np.var([0.0, 0.0, 0.3, 0.0], ddof=1) * 8 / 7 * 3 / (ASSUMED_FREEDOM + 3)
    expected = others.error**2 + own * (1 / 4 + of_middle(5))
    assert far_off.error**2 == pytest.approx(expected, rel=1e-3)
    assert far_off.p_worse(0.0) > 1e-3


def test_what_launches_are_apart_by_chance_does_not():
    chance = np.random.default_rng(0)
    past, now = 0.02 * chance.standard_normal((5, 8)), np.zeros((4, 8))
    now[:, 3] = 0.02 * np.array([1.5, -0.5, -0.5, -0.5])
    calm = make_panel(np.zeros((4, 8)), past).of_case("c3")
    assert make_panel(now, past).of_case("c3").error == pytest.approx(calm.error)


def test_luck_that_all_cases_of_a_launch_share_is_not_the_case_s_own():
    """Where few cases are launched again, what they share can't be seen, but it is known."""
    now, past = np.full((4, 8), NAN), np.zeros((5, 8))
    now[0], now[1:, 3] = 0.0, (0.02, -0.02, 0.02)
    panel = make_panel(now, past, assumed=0.03)
    common = panel.shared.variance * (1 / 4 + of_middle(5))
    assert panel.of_case("c3").error == pytest.approx(math.sqrt(common))


def test_a_launch_of_this_case_alone_counts_as_well():
    now = np.full((3, 8), NAN)
    now[0], now[1:, 3] = 0.0, (0.3, 0.0)
    panel = make_panel(now, np.zeros((5, 8)))
    assert panel.of_case("c3").error > 3 * panel.of_case("c4").error


def test_what_is_in_one_session_alone_shows_no_spread():
    apart = make_panel([0.1] * 4, [[0.0, 0.0, NAN, NAN], [NAN, NAN, 0.0, 0.0]])
    assert apart.shared == make_panel([0.1] * 4, [[0.0] * 4]).shared


def test_other_variants_speak_for_one_that_says_little():
    alone = make_panel([0.1], [[0.0], [0.0]])
    heard = make_panel([0.1], [[0.0], [0.0]], others=(Spread(variance=0.01, freedom=8),))
    assert heard.of_case("c0").error > alone.of_case("c0").error
    assert heard.shared.freedom == alone.shared.freedom + 4


def test_what_the_rounds_show_is_added():
    calm = make_panel([0.1], [[0.0]]).of_case("c0")
    rough = make_panel([0.1], [[0.0]], errors=[0.05]).of_case("c0")
    assert rough.error == pytest.approx(math.hypot(calm.error, 0.05 * math.sqrt(2)))
    assert rough.change == calm.change


def test_a_case_s_own_part_is_added():
    shared = [[0.0, 0.0, 0.0], [0.1, 0.1, 0.1]]
    own = [[0.0, 0.0, 0.0], [0.0, 0.1, 0.2]]
    calm, rough = (make_panel([0.2] * 3, past).of_case("c0") for past in (shared, own))
    assert rough.error > calm.error


def test_where_all_cases_move_together_the_variant_shows_it_no_surer():
    now, past = [0.1] * 10, [[0.0] * 10] * 3
    whole, case = make_panel(now, past).of_all(), make_panel(now, past).of_case("c0")
    assert (whole.change, whole.error) == pytest.approx((case.change, case.error))


def test_what_cases_have_for_themselves_averages_out_over_them():
    generator = np.random.default_rng(1)
    past = 0.05 * generator.standard_normal((5, 30))
    panel = make_panel(0.05 * generator.standard_normal(30), past, assumed=0.005)
    assert panel.of_all().error < panel.of_case("c0").error / 2


def test_cases_that_changed_apart_widen_the_whole():
    together = make_panel([0.1] * 8, [[0.0] * 8])
    apart = make_panel(np.linspace(-0.4, 0.6, 8), [[0.0] * 8])
    assert apart.of_all().change == pytest.approx(together.of_all().change)
    assert apart.of_all().error > 2 * together.of_all().error


def test_a_launch_of_a_few_cases_says_nothing_of_all():
    full, few = [0.0] * 9, [1.0] * 4 + [NAN] * 5
    found = make_panel([full, few], [[0.0] * 9])
    assert found.of_all() == make_panel([full], [[0.0] * 9]).of_all()
    assert make_panel([few], [[0.0] * 9]).of_all().change == pytest.approx(1.0), (
        "it is all there is"
    )


@pytest.mark.parametrize(("own", "share"), [(0.0, 0.5), (1e-3, 0.5), (10.0, 9 / 14)])
def test_a_launch_weighs_by_how_sure_it_is(own, share):
    """Alike where they share all noise; by how many cases they have where each has its own."""
    full, half = [0.0] * 9, [1.0] * 5 + [NAN] * 4
    panel = make_panel([full, half], [[0.0] * 9], errors=[own / math.sqrt(2)] * 9)
    assert 1 - panel.of_all().change == pytest.approx(share, abs=0.01)


def test_two_cases_of_twenty_that_got_slower_do_not_move_the_whole():
    found = make_panel([0.5, 0.5] + [0.0] * 18, [[0.0] * 20] * 3).of_all()
    assert found.change == pytest.approx(0.0)


# --- what is not there -------------------------------------------------------------------------


def test_what_is_not_there_now_or_was_not_there_before():
    panel = make_panel([NAN, 0.1, 0.1], [[0.0, NAN, 0.0]])
    assert panel.of_case("c0") is None
    assert panel.of_case("c1") is None
    assert panel.of_case("c2").change == pytest.approx(0.1)
    assert panel.compared == 1


def test_nothing_at_all():
    for now, past in (([[NAN, NAN]], [[0.0, 0.0]]), ([[0.1, 0.1]], [[NAN, NAN]])):
        panel = make_panel(now, past)
        assert (panel.of_all(), panel.compared) == (None, 0)
    empty = make_panel(np.empty((0, 2)), [[0.0, 0.0]])
    assert (empty.of_all(), empty.of_case("c0"), empty.compared) == (None, None, 0)


def test_a_session_that_lacks_a_case_counts_for_the_others():
    panel = make_panel([0.1, 0.1], [[0.0, 0.0], [NAN, 0.0], [NAN, 0.0]])
    assert panel.of_case("c0").error > panel.of_case("c1").error
    assert panel.of_all().change == pytest.approx(0.1)


def test_side_by_side_nothing_was_before():
    found = make_panel([[0.1, 0.2], [0.1, 0.2]], np.empty((0, 2)))
    assert found.of_case("c1").change == pytest.approx(0.2)
    assert found.of_all().change == pytest.approx(0.15)
    freedom = ASSUMED_FREEDOM + 1
    expected = ASSUMED * math.sqrt(ASSUMED_FREEDOM / freedom / 2)
    assert found.of_case("c0").error == pytest.approx(expected)


def test_the_mean_of_what_there_is():
    found = mean(np.array([[1.0, NAN, NAN], [3.0, 5.0, NAN]]))
    assert found[:2].tolist() == [2.0, 5.0]
    assert math.isnan(found[2])


def test_slow_minutes_are_in_times_and_not_in_ratios():
    quick, slow = [0.0] * 4, [0.3] * 4
    now = [*quick, *slow, *quick, *slow]
    past = np.tile(np.array([[-0.01], [0.0], [0.01]]), (1, len(now)))
    still = make_panel([[0.0] * len(now)], past)
    times, ratios = make_panel([now], past, lasting=True), make_panel([now], past)
    assert ratios.shared == still.shared
    assert times.shared.variance > 10 * ratios.shared.variance
