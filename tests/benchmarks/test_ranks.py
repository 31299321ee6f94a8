"""Mann-Whitney's U against published tables, examples and other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from peers import benchstat_p, scipy_p
from ranks import Ranked, exact_tail, null_counts, ranked

CRITICAL_TWO_SIDED = {
    (4, 4): 0,
    (5, 5): 2,
    (6, 6): 5,
    (7, 7): 8,
    (8, 8): 13,
    (8, 10): 17,
    (9, 9): 17,
    (10, 10): 23,
    (11, 12): 33,
    (15, 15): 64,
    (20, 20): 127,
}
"""The tables' largest U that is significant at .05, two-sided."""

CRITICAL_ONE_SIDED = {(3, 3): 0, (4, 4): 1, (5, 5): 4, (8, 8): 15, (10, 10): 27, (20, 20): 138}

PERMEABILITY = (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
AT_TERM = (1.15, 0.88, 0.90, 0.74, 1.21)
"""Hollander and Wolfe 1973, page 69: U 35, p = .1272 for the first being larger."""


def p_of(sizes: tuple[int, int], u: int, *, two_sided: bool) -> float:
    untied = Ranked(*sizes, u, (1,) * sum(sizes))
    return exact_tail(untied, math.prod(sizes) - u) * (2 if two_sided else 1)


@pytest.mark.parametrize(("sizes", "u"), CRITICAL_TWO_SIDED.items(), ids=str)
def test_the_tables_two_sided_values_are_the_last_significant_ones(
    sizes: tuple[int, int], u: int
) -> None:
    assert p_of(sizes, u, two_sided=True) <= 0.05 < p_of(sizes, u + 1, two_sided=True)


@pytest.mark.parametrize(("sizes", "u"), CRITICAL_ONE_SIDED.items(), ids=str)
def test_the_tables_one_sided_values_are_the_last_significant_ones(
    sizes: tuple[int, int], u: int
) -> None:
    assert p_of(sizes, u, two_sided=False) <= 0.05 < p_of(sizes, u + 1, two_sided=False)


def test_a_published_example() -> None:
    ranks = ranked(PERMEABILITY, AT_TERM)
    assert ranks.u == 35
    assert scipy_p(ranks, two_sided=False) == pytest.approx(0.1272, abs=5e-5)
    assert scipy_p(ranks, two_sided=True) == pytest.approx(0.2544, abs=5e-5)


@pytest.mark.parametrize(("size", "least"), [(3, 0.1), (4, 1 / 35), (8, 2 / 12870)])
def test_the_least_p_value_of_small_samples(size: int, least: float) -> None:
    ranks = ranked(range(size), range(size, 2 * size))
    assert benchstat_p(ranks) == pytest.approx(least)


def test_what_ties_do_to_the_distribution_is_what_counting_says() -> None:
    # {1, 2} against {1}: U is .5 or 1.5 or, with both ones first, 0 + .5 + … by hand: 2U of the
    # pairs {1, 1}, {1, 2}, {1', 2} taken as first is 1 - 1 = 0, 3 and 3.
    assert null_counts(2, (2, 1)).tolist() == [1, 0, 0, 2, 0]
    assert null_counts(3, (1, 3, 2)).sum() == math.comb(6, 3)


def test_small_samples_with_ties_are_judged_exactly() -> None:
    assert benchstat_p(ranked((1, 2, 3, 5), (2, 2, 2, 2))) == pytest.approx(5 / 7)
    assert benchstat_p(ranked((2, 1, 3, 5), (2, 1, 3, 5))) == 1
    assert benchstat_p(ranked((2, 2), (2, 2))) == 1
    assert benchstat_p(ranked((2, 1, 3, 5), (0, 4, 6, 7))) == pytest.approx(0.4857142857142857)


def test_large_samples_have_the_corrected_approximation() -> None:
    # As R's wilcox.test and go-moremath's own tests have them.
    evens, shifted = [2.0 * i for i in range(500)], [2.0 * i - 41 for i in range(600)]
    tied = evens[:30] + shifted[30:]
    for second, p in ((shifted, 0.0049335360814172224), (tied, 0.0038703814239617884)):
        assert benchstat_p(ranked(evens, second)) == pytest.approx(p, rel=1e-9)
        assert scipy_p(ranked(evens, second), two_sided=True) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize("sizes", [(4, 20), (8, 8), (8, 40), (9, 9), (10, 50)], ids=str)
@pytest.mark.parametrize("digits", [1, 9])
def test_p_values_are_scipys(sizes: tuple[int, int], digits: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    chance = np.random.default_rng(sum(sizes))
    for _ in range(20):
        first, second = (chance.normal(size=size).round(digits) for size in sizes)
        ranks = ranked(first, second)
        two = stats.mannwhitneyu(first, second).pvalue
        one = stats.mannwhitneyu(first, second, alternative="greater").pvalue
        assert scipy_p(ranks, two_sided=True) == pytest.approx(two)
        assert scipy_p(ranks, two_sided=False) == pytest.approx(one)
