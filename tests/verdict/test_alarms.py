"""How sure each verdict has to be: Bonferroni's numbers, in both halves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.verdict.alarms import CONFIRMING, SESSION, SUSPICIOUS, Alarms

counts = st.integers(0, 10_000)


@pytest.mark.parametrize(("count", "share"), [(0, 1), (1, 1), (2, 1 / 2), (120, 1 / 120)])
def test_each_has_an_equal_part_of_half(count, share):
    alarms = Alarms(cases=count, variants=count)
    assert alarms.of_case == pytest.approx(SESSION / 2 * share)
    assert alarms.of_variant == pytest.approx(SESSION / 2 * share)


def test_a_hundred_and_twenty_comparisons_of_thirty_cases():
    alarms = Alarms(cases=120, variants=8)
    assert alarms.of_case == pytest.approx(SESSION / 240)
    assert alarms.of_variant == pytest.approx(SESSION / 16)


@given(counts, counts)
def test_all_together_never_come_to_more_than_a_session_may(cases, variants):
    alarms = Alarms(cases=cases, variants=variants)
    assert cases * alarms.of_case + variants * alarms.of_variant <= SESSION * (1 + 1e-9)


@given(counts)
def test_what_is_measured_again_is_more_than_what_fails(cases):
    alarms = Alarms(cases=cases)
    assert alarms.of_case < alarms.suspected_case <= SUSPICIOUS


def test_few_cases_are_suspected_as_variants_are():
    assert Alarms(cases=1).suspected_case == min(SUSPICIOUS, CONFIRMING * SESSION / 2)
    assert Alarms(cases=1000).suspected_case == pytest.approx(CONFIRMING * SESSION / 2000)
