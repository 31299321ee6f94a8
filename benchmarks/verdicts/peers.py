"""The rules of other tools, each as one pure function: does it say that a case got slower?

``rule(baseline, now)`` is given the rounds of the baseline's sessions, the last saved one last,
and the rounds of this session, all in seconds; ``True`` says slower. Thresholds are the tools'
own defaults. A tool that compares with one saved run is given the last one, a tool that compares
two sets of values all sessions' rounds pooled, which is the best that it can be given.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from ranks import Ranked, above, exact_tail, normal_tail, null_counts, ranked

Rounds = Sequence[float]
Judge = Callable[[Sequence[Rounds], Rounds], bool]

ALPHA = 0.05
ASV_FACTOR = 1.1
ASV_ALPHA = 0.002
CRITERION_NOISE = 0.01
CRITERION_CONFIDENCE = 0.95
RESAMPLES = 5_000
"""Criterion's default is 100,000; the p-value .05 is found to within .006 by these."""


# --- pytest-benchmark ---------------------------------------------------------------------------


def pytest_benchmark_mean(baseline: Sequence[Rounds], now: Rounds) -> bool:
    """Say what ``--benchmark-compare --benchmark-compare-fail=mean:10%`` says.

    One number of this run against that of the latest saved one; more than 10 % above it fails.
    Source: ionelmc/pytest-benchmark, ``PercentageRegressionCheck`` in utils.py and
    ``handle_loading`` in session.py (the last file of the storage).
    """
    return _percent_above(statistics.fmean(now), statistics.fmean(baseline[-1])) > 10


def pytest_benchmark_min(baseline: Sequence[Rounds], now: Rounds) -> bool:
    """Say what ``--benchmark-compare --benchmark-compare-fail=min:10%`` says; see the mean's."""
    return _percent_above(min(now), min(baseline[-1])) > 10


def _percent_above(now: float, before: float) -> float:
    return now / before * 100 - 100 if before else math.inf


# --- Mann-Whitney -------------------------------------------------------------------------------


def mann_whitney_one_sided(baseline: Sequence[Rounds], now: Rounds) -> bool:
    """Say whether rounds are slower than the baseline's pooled ones, p < .05, one-sided.

    As ``scipy.stats.mannwhitneyu(now, before, alternative="greater")`` finds it.
    """
    return scipy_p(ranked(now, pooled(baseline)), two_sided=False) < ALPHA


def mann_whitney_two_sided(baseline: Sequence[Rounds], now: Rounds) -> bool:
    """Say whether rounds differ from the baseline's, p < .05, two-sided, and the median is worse.

    As ``scipy.stats.mannwhitneyu(now, before)`` finds it, which is how it is mostly used.
    """
    before = pooled(baseline)
    worse = statistics.median(now) > statistics.median(before)
    return worse and scipy_p(ranked(now, before), two_sided=True) < ALPHA


def benchstat(baseline: Sequence[Rounds], now: Rounds) -> bool:
    """Say whether benchstat prints a positive change rather than ``~``.

    Mann-Whitney U, two-sided, p <= .05; what is printed is the change of the medians. Small
    samples need no rule of their own: below 4 and 4 values no p-value is that small. Source:
    golang/perf, ``AssumeNothing.Compare`` in benchmath/anone.go and ``FormatDelta`` in sample.go.
    """
    before = pooled(baseline)
    worse = statistics.median(now) > statistics.median(before)
    return worse and benchstat_p(ranked(before, now)) <= ALPHA


def pooled(sessions: Sequence[Rounds]) -> list[float]:
    """Return the rounds of all sessions as if they were one sample."""
    return [figure for rounds in sessions for figure in rounds]


def scipy_p(ranks: Ranked, *, two_sided: bool) -> float:
    """Return the p-value of ``scipy.stats.mannwhitneyu`` with its default ``method="auto"``.

    Exact where one sample has at most 8 values and nothing is tied; else the normal
    approximation with corrections for ties and continuity.
    """
    exact = min(ranks.first, ranks.second) <= 8 and not ranks.tied
    tail = exact_tail if exact else normal_tail
    if not two_sided:
        return tail(ranks, ranks.u)
    return min(1.0, 2 * tail(ranks, max(ranks.u, ranks.first * ranks.second - ranks.u)))


def benchstat_p(ranks: Ranked) -> float:
    """Return the two-sided p-value that benchstat's library finds.

    Exact up to 50 values a sample, with ties up to 25; else the normal approximation with both
    corrections; 1 where all values are equal. Source: aclements/go-moremath, stats/utest.go.
    """
    pairs = ranks.first * ranks.second
    if len(ranks.ties) == 1 or ranks.u * 2 == pairs:
        return 1.0
    if max(ranks.first, ranks.second) > (25 if ranks.tied else 50):
        return min(1.0, 2 * normal_tail(ranks, max(ranks.u, pairs - ranks.u)))
    counts = null_counts(ranks.first, ranks.ties)
    return float(2 * counts[: round(2 * min(ranks.u, pairs - ranks.u)) + 1].sum() / counts.sum())


# --- asv ----------------------------------------------------------------------------------------


def asv(baseline: Sequence[Rounds], now: Rounds) -> bool:
    """Say whether ``asv compare --factor 1.1`` marks the case with a plus.

    The medians are more than the factor apart, and the samples differ. All sessions' rounds are
    its samples, as ``--append-samples --record-samples`` keeps them. Source:
    airspeed-velocity/asv, ``_is_result_better`` in commands/compare.py, ``is_different`` in
    statistics.py; intervals from asv_runner's ``compute_stats``.
    """
    before = pooled(baseline)
    several = len(before) > 1 and len(now) > 1
    if several and not _asv_different(before, now):
        return False
    return statistics.median(before) < statistics.median(now) / ASV_FACTOR


def _asv_different(before: Rounds, now: Rounds) -> bool:
    """Return whether p < .002, or 99 % intervals are apart where no p-value could be that small."""
    sizes = len(before), len(now)
    if 1 / math.comb(sum(sizes), min(sizes)) < ASV_ALPHA:
        return asv_p(before, now) < ASV_ALPHA
    (low, high), (other_low, other_high) = asv_interval(before), asv_interval(now)
    return high < other_low or other_high < low


def asv_p(first: Rounds, second: Rounds) -> float:
    """Return asv's two-sided p-value of Mann-Whitney's U.

    Ties are broken to the least significance. Exact up to 20 values a sample, else the normal
    approximation without corrections.
    """
    gaps = np.subtract.outer(first, second)
    middle = gaps.size / 2
    larger, tied = int(np.sum(gaps > 0)), int(np.sum(gaps == 0))
    off = max(0.0, abs(larger + tied / 2 - middle) - tied / 2)
    u = math.floor(middle + off)
    if max(gaps.shape) > 20:
        return 2 * above((u - middle) / math.sqrt(gaps.size * (sum(gaps.shape) + 1) / 12))
    untied = Ranked(len(first), len(second), u, (1,) * sum(gaps.shape))
    return min(1.0, 2 * exact_tail(untied, u))


def asv_interval(rounds: Rounds) -> tuple[float, float]:
    """Return asv's 99 % interval of the median.

    The order statistics that hold it, which exist from 8 values on. Below that the credible
    interval of a location with Laplace noise, widened to the sample's own ends.
    """
    values = sorted(rounds)
    shares = np.cumsum([math.comb(len(values), k) for k in range(len(values))]) / 2 ** len(values)
    inside = [k for k, share in enumerate(shares) if share <= 0.005]
    if inside:
        return values[inside[-1]], values[next(k for k, s in enumerate(shares) if s >= 0.995)]
    low, high = _laplace_ends(values, 0.005)
    return min(low, values[0]), max(high, values[-1])


def _laplace_ends(values: Sequence[float], share: float) -> tuple[float, float]:
    """Return where *share* of the posterior lies below and above, or an end of *values* inside it.

    The density at b is the sum of distances of all values from b to the power of minus their
    number. Between two values that sum is linear in b, so each piece has a closed integral;
    outside of them it is ``n * abs(mean - b)``, so its quantile has a closed form too.
    """
    count, middle, mean = len(values), statistics.median(values), statistics.fmean(values)
    scale = sum(abs(value - middle) for value in values)
    if not scale:
        return values[0], values[-1]
    sums = [sum(abs(value - at) for value in values) / scale for at in values]
    pieces = [
        _piece(left, right, (b - a) / scale, count)
        for left, right, a, b in zip(sums, sums[1:], values, values[1:], strict=False)
    ]
    tails = [total ** (1 - count) / ((count - 1) * count) for total in (sums[0], sums[-1])]
    edge = share * (sum(pieces) + sum(tails)) * (count - 1) * count
    reach = scale * edge ** (1 / (1 - count)) / count
    return mean - reach, mean + reach


def _piece(left: float, right: float, width: float, count: int) -> float:
    """Return the integral of a linear sum's power from *left* to *right* over *width*."""
    slope = (right - left) / width if width else 0.0
    if abs(slope) < 0.5:
        return width / left**count
    return (left ** (1 - count) - right ** (1 - count)) / ((count - 1) * slope)


# --- criterion.rs -------------------------------------------------------------------------------


def criterion(baseline: Sequence[Rounds], now: Rounds) -> bool:
    """Say whether criterion.rs prints "Performance has regressed".

    Against the last saved run: a bootstrapped t-test of the means has p < .05, and the whole
    95 % interval of the relative change lies above the noise threshold of 1 %. Source:
    bheisler/criterion.rs, ``t_test`` and ``estimates`` in src/analysis/compare.rs,
    ``compare_to_threshold`` in src/report.rs, ``p_value`` in src/stats.
    """
    then, new = np.asarray(baseline[-1]), np.asarray(now)
    if criterion_p(new, then) >= ALPHA:
        return False
    return criterion_interval(new, then)[0] > CRITERION_NOISE


def criterion_p(now: NDArray[np.float64], before: NDArray[np.float64]) -> float:
    """Return twice the smaller share of resamples on one side of the measured t.

    Both resamples are drawn from all values together; what is not finite is left out.
    """
    pool = np.concatenate([now, before]) - np.mean(before)
    ours, theirs = len(now), len(before)
    resampled = _t(
        _moments(_resamples(len(pool), ours, 1), pool, ours),
        _moments(_resamples(len(pool), theirs, 2), pool, theirs),
    )
    measured = float(_t(_measured(now), _measured(before)))
    finite = resampled[np.isfinite(resampled)]
    if not len(finite):
        return 1.0
    below = int(np.sum(finite < measured))
    return 2 * min(below, len(finite) - below) / len(finite)


def criterion_interval(
    now: NDArray[np.float64], before: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the relative change of the means."""
    ours = _resamples(len(now), len(now), 3) @ now / len(now)
    theirs = _resamples(len(before), len(before), 4) @ before / len(before)
    edge = (1 - CRITERION_CONFIDENCE) / 2
    low, high = np.quantile(ours / theirs - 1, [edge, 1 - edge])
    return float(low), float(high)


@functools.lru_cache(maxsize=64)
def _resamples(size: int, drawn: int, seed: int) -> NDArray[np.float64]:
    """Return how often each of *size* values is in each resample of *drawn* values."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(drawn, np.full(size, 1 / size), size=RESAMPLES).astype(float)


_Moments = tuple[NDArray[np.float64], NDArray[np.float64]]


def _measured(values: NDArray[np.float64]) -> _Moments:
    return np.asarray(np.mean(values)), np.asarray(np.var(values, ddof=1) / len(values))


def _moments(counts: NDArray[np.float64], values: NDArray[np.float64], drawn: int) -> _Moments:
    """Return each resample's mean and the variance of that mean."""
    means = counts @ values / drawn
    variances = counts @ values**2 / drawn - means**2
    return means, np.maximum(variances, 0) / (drawn - 1)


def _t(now: _Moments, before: _Moments) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((now[0] - before[0]) / np.sqrt(now[1] + before[1]))


RULES: dict[str, Judge] = {
    "pytest-benchmark-mean": pytest_benchmark_mean,
    "pytest-benchmark-min": pytest_benchmark_min,
    "mann-whitney-one-sided": mann_whitney_one_sided,
    "mann-whitney-two-sided": mann_whitney_two_sided,
    "benchstat": benchstat,
    "asv": asv,
    "criterion": criterion,
}
"""Every rule by the name under which it is asked for."""
