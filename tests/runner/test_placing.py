"""All variants of a bout compute on the same processors, as many as they have threads."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest

from pytest_llmbench.runner.placing import Placing, processors_of
from tests.runner.facts import make_facts


def known(threads: int | None):
    return msgspec.structs.replace(make_facts("cpu"), threads=threads)


def test_one_of_each_fast_core_comes_first() -> None:
    fast, other = [(0, 4), (1, 5), (2, 6)], [(8,), (9,)]
    for seed in range(9):
        order = Placing(random.Random(seed), fast, other).order()
        assert sorted(order[:3]) == [0, 1, 2]
        assert sorted(order[3:6]) == [4, 5, 6]
        assert order[6:] == (8, 9)


def test_other_processors_every_time() -> None:
    placing = Placing(random.Random(0), [(0,), (1,)])
    firsts = Counter(placing.order()[0] for _ in range(100))
    assert 30 < firsts[0] < 70


@pytest.mark.parametrize(
    ("threads", "processors"),
    [(1, {7}), (2, {7, 3}), (3, {7, 3, 5}), (9, {7, 3, 5}), (None, {7, 3, 5})],
)
def test_who_has_fewer_threads_shares_the_first(threads, processors) -> None:
    assert processors_of(known(threads), (7, 3, 5)) == processors


def test_where_the_system_can_not_tell_nobody_is_placed() -> None:
    assert processors_of(known(1), Placing(random.Random(0), []).order()) == frozenset()
