"""Both sides of each peer's limit."""

from __future__ import annotations

import math
import statistics

import numpy as np
import peers
import pytest
from peers import RULES

STEADY = [1.0 + 0.001 * i for i in range(8)]


def times(share: float) -> list[float]:
    """The steady rounds, each longer by *share*."""
    return [round(each * (1 + share), 9) for each in STEADY]


@pytest.mark.parametrize("name", RULES)
def test_every_rule_finds_a_doubling_and_no_speedup(name: str) -> None:
    baseline = [times(0.0002 * i) for i in range(5)]
    assert RULES[name](baseline, times(1))
    assert not RULES[name](baseline, times(-0.5))
    assert not RULES[name](baseline, baseline[2])


@pytest.mark.parametrize("name", ["pytest-benchmark-mean", "pytest-benchmark-min", "asv"])
def test_ten_percent_is_the_limit_of_those_that_have_one(name: str) -> None:
    assert not RULES[name]([STEADY], times(0.0999))
    assert RULES[name]([STEADY], times(0.1001))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.0999, 0.1, 0.1001, 0.5])
@pytest.mark.parametrize("field", ["mean", "min"])
def test_pytest_benchmark_itself_says_the_same(field: str, share: float) -> None:
    utils = pytest.importorskip("pytest_benchmark.utils")
    check = utils.parse_compare_fail(f"{field}:10%")
    of = {"mean": statistics.fmean, "min": min}[field]
    theirs = check.fails({field: of(times(share))}, {field: of(STEADY)})
    assert RULES[f"pytest-benchmark-{field}"]([STEADY], times(share)) == bool(theirs)


def test_pytest_benchmark_looks_at_the_last_run_alone() -> None:
    assert peers.pytest_benchmark_mean([times(1), STEADY], times(0.2))
    assert not peers.pytest_benchmark_mean([STEADY, times(1)], times(0.2))


def test_pytest_benchmarks_mean_follows_a_stall_and_its_minimum_does_not() -> None:
    stalled = [*STEADY[:-1], 3.0]
    assert peers.pytest_benchmark_mean([STEADY], stalled)
    assert not peers.pytest_benchmark_min([STEADY], stalled)
    assert peers.pytest_benchmark_min([[0.0, 1.0]], [0.0, 1.0])


def shifted(u: int) -> tuple[list[float], list[float]]:
    """Samples of 8 and 8 of which the second is slower in all but *u* pairs."""
    before = [10.0 * i for i in range(1, 9)]
    now = [100.0 + i for i in range(8)]
    full, rest = divmod(u, 8)
    for i in range(full):
        now[i] = 0.1 * (i + 1)
    if rest:
        now[full] = 10.0 * (8 - rest) + 5
    return before, now


@pytest.mark.parametrize(
    ("name", "last"),
    [("mann-whitney-one-sided", 15), ("mann-whitney-two-sided", 13), ("benchstat", 13)],
)
def test_the_tables_critical_value_is_the_limit(name: str, last: int) -> None:
    for u in (0, last, last + 1):
        before, now = shifted(u)
        assert np.sum(np.subtract.outer(now, before) < 0) == u
        assert RULES[name]([before], now) == (u <= last)


def test_benchstat_says_nothing_of_three_and_three() -> None:
    assert not peers.benchstat([[1.0, 2.0, 3.0]], [7.0, 8.0, 9.0])
    assert peers.benchstat([[1.0, 2.0, 3.0, 4.0]], [7.0, 8.0, 9.0, 10.0])


def test_two_sided_rules_do_not_accuse_what_got_faster() -> None:
    for name in ("mann-whitney-two-sided", "benchstat"):
        assert not RULES[name]([[7.0, 8.0, 9.0, 10.0]], [1.0, 2.0, 3.0, 4.0])


def test_asv_needs_a_difference_beside_the_factor() -> None:
    # 6 and 6 values, all apart: p = 2 / 924 is just not below .002; 7 and 7 is.
    before, now = [1.0 + i / 100 for i in range(7)], [2.0 + i / 100 for i in range(7)]
    assert peers.asv_p(now[:6], before[:6]) == pytest.approx(2 / 924)
    assert not peers.asv([before[:6]], now[:6])
    assert peers.asv([before], now)


def test_asv_with_one_value_has_the_factor_alone() -> None:
    assert peers.asv([[1.0]], [1.2])
    assert not peers.asv([[1.0]], [1.05])


def test_asvs_ties_count_for_no_difference() -> None:
    assert peers.asv_p([1.0] * 8, [1.0] * 8) == 1
    apart = peers.asv_p([2.0] * 7 + [1.0], [1.0] * 8)
    assert apart > peers.asv_p([2.0] * 8, [1.0] * 8)
    assert peers.asv_p(range(21), range(21, 42)) == pytest.approx(
        math.erfc(220.5 / math.sqrt(441 * 43 / 12) / math.sqrt(2))
    )


@pytest.mark.parametrize(
    ("sizes", "method"), [((8, 20), "exact"), ((8, 40), "asymptotic")], ids=str
)
def test_asvs_p_value_is_the_plain_one_without_ties(sizes: tuple[int, int], method: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    chance = np.random.default_rng(1)
    for shift in (0.0, 0.5, 1.0, 2.0):
        first, second = chance.normal(shift, 1, sizes[0]), chance.normal(0, 1, sizes[1])
        plain = stats.mannwhitneyu(first, second, method=method, use_continuity=False).pvalue
        assert peers.asv_p(first, second) == pytest.approx(plain)


def test_asvs_interval_is_of_order_statistics_from_eight_values_on() -> None:
    assert peers.asv_interval(STEADY) == (STEADY[0], STEADY[-1])
    assert peers.asv_interval(range(11)) == (0, 10)
    assert peers.asv_interval(range(12)) == (1, 10)


@pytest.mark.parametrize("values", [(1.0, 2.0), (1.0, 1.1, 1.2, 1.9), (3.0, 3.0, 3.2, 3.3, 3.4)])
def test_asvs_interval_of_few_values_holds_99_percent_of_the_posterior(
    values: tuple[float, ...],
) -> None:
    low, high = peers.asv_interval(values)
    reach = np.concatenate([-np.geomspace(1e6, 1e-9, 400_000), np.geomspace(1e-9, 1e6, 400_000)])
    grid = np.sort(np.concatenate([reach + value for value in values]))
    density = sum(abs(grid - value) for value in values) ** float(-len(values))
    mass = np.concatenate([[0], np.cumsum(np.diff(grid) * (density[1:] + density[:-1]) / 2)])
    quantiles = np.interp([0.005, 0.995], mass / mass[-1], grid)
    assert low == pytest.approx(min(values[0], quantiles[0]), rel=1e-3)
    assert high == pytest.approx(max(values[-1], quantiles[1]), rel=1e-3)


def test_asvs_interval_of_equal_values_is_a_point() -> None:
    assert peers.asv_interval([2.0, 2.0, 2.0]) == (2, 2)


def test_asv_compares_intervals_where_no_p_value_could_be_small_enough() -> None:
    assert not peers.asv([[1.0, 1.1, 1.2, 1.3]], [1.5, 1.6, 1.7, 1.8])
    assert peers.asv([[1.0, 1.001, 1.002, 1.003]], [9.0, 9.001, 9.002, 9.003])


def test_criterions_change_must_be_beyond_the_noise_threshold() -> None:
    assert not peers.criterion([[1.0] * 8], [1.009] * 8)
    assert peers.criterion([[1.0] * 8], [1.011] * 8)


def test_criterion_needs_the_whole_interval_beyond_the_threshold() -> None:
    wide = [1.0, 1.0, 1.0, 1.0, 1.06, 1.06, 1.06, 1.06]
    low, high = peers.criterion_interval(np.array(wide), np.ones(8))
    assert low < peers.CRITERION_NOISE < high
    assert not peers.criterion([[1.0] * 8], wide)


def test_criterion_looks_at_the_last_run_alone() -> None:
    assert not peers.criterion([STEADY, times(0.2)], times(0.2))
    assert peers.criterion([times(0.2), STEADY], times(0.2))


def test_criterions_p_value_is_near_the_t_tests() -> None:
    chance = np.random.default_rng(5)
    found, expected = [], []
    stats = pytest.importorskip("scipy.stats")
    for _ in range(30):
        now, before = chance.normal(0.5, 1, 30), chance.normal(0, 1, 30)
        found.append(peers.criterion_p(now, before))
        expected.append(stats.ttest_ind(now, before, equal_var=False).pvalue)
    assert np.max(np.abs(np.subtract(found, expected))) < 0.06


def test_criterion_calls_equal_values_no_change() -> None:
    assert peers.criterion_p(np.ones(4), np.ones(4)) == 1
    assert not peers.criterion([[1.0] * 4], [1.0] * 4)


def test_a_rule_says_the_same_twice() -> None:
    baseline, now = [times(0.01), times(0.02)], times(0.05)
    for name, rule in RULES.items():
        assert rule(baseline, now) == rule(baseline, now), name
