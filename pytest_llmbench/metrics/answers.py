"""Is a variant worse than the reference at the same prompts? Paired counts, exactly.

A prompt that the reference answers right and the variant wrong is a *flip*. If neither were better,
each prompt on which they differ would fall on either side with the probability ½: McNemar's test,
here in its exact form. How much worse the variant may be is a bound of the difference: Wald's with
½ added to each of the four counts, which keeps its promise in small samples too; where scores are
shares, the bootstrap over prompts, bias-corrected and accelerated.

Sources: Q. McNemar, Note on the sampling error of the difference between correlated proportions or
percentages, Psychometrika 12 (1947); A. Agresti, Y. Min, Simple improved confidence intervals for
comparing matched proportions, Statistics in Medicine 24 (2005); B. Efron, Better bootstrap
confidence intervals, Journal of the American Statistical Association 82 (1987).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy import stats

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import Measured

RIGHT: Final = 0.5
"""From this score on an answer is right."""

CONFIDENCE: Final = 0.95
"""With which the change is no lower than its bound (one-sided)."""

RESAMPLES: Final = 9999
_BATCH: Final = 100

ADDED: Final = 0.5**0.5


def answer_metrics(pairs: Sequence[tuple[float, float]]) -> dict[str, Measured]:
    """Return how a variant's answers are beside the reference's.

    Args:
        pairs: of each prompt that both were scored on, the reference's score and the variant's.

    Returns:
        ``flips``, ``flips_p``, ``score_change`` and ``score_change_low``; empty without pairs.
    """
    if not pairs:
        return {}
    worse = sum(one >= RIGHT > other for one, other in pairs)
    better = sum(other >= RIGHT > one for one, other in pairs)
    values: Mapping[str, float] = {
        "flips": worse,
        "flips_p": mcnemar(worse, better),
        "score_change": sum(other - one for one, other in pairs) / len(pairs),
        "score_change_low": _lowest(pairs, worse, better),
    }
    return _measured(values)


def length_metrics(pairs: Sequence[tuple[int, int]]) -> dict[str, Measured]:
    """Return ``length_change``; empty where the reference said nothing.

    Args:
        pairs: of each prompt the reference's output tokens and the variant's.
    """
    reference = sum(one for one, _ in pairs)
    if not reference:
        return {}
    return _measured({"length_change": abs(sum(other for _, other in pairs) / reference - 1)})


def _measured(values: Mapping[str, float]) -> dict[str, Measured]:
    return {
        name: Measured(value=float(values[name]), gate=float(values[name]), rounds=None)
        for name in CATALOGUE
        if name in values
    }


def _lowest(pairs: Sequence[tuple[float, float]], worse: int, better: int) -> float:
    """Return the bound of the change, by the way that fits the scores."""
    if all(score in (0.0, 1.0) for pair in pairs for score in pair):
        return lowest_change(worse, better, len(pairs))
    return lowest_mean_change([other - one for one, other in pairs])


def mcnemar(worse: int, better: int) -> float:
    """Return the probability of so many flips or more if the variant is as good (one-sided)."""
    if not worse:
        return 1.0
    return float(stats.binom.sf(worse - 1, worse + better, 0.5))


def lowest_change(worse: int, better: int, prompts: int) -> float:
    """Return the lower bound of the change of the share of right answers, -1 to 1.

    Args:
        worse: prompts that only the reference answers right.
        better: those that only the variant does.
        prompts: all of them.
    """
    total, b, c = prompts + 2.0, worse + 0.5, better + 0.5
    change = (c - b) / total
    error = math.sqrt(b + c - (c - b) ** 2 / total) / total
    return max(-1.0, change - float(stats.norm.ppf(CONFIDENCE)) * error)


def lowest_mean_change(changes: Sequence[float]) -> float:
    """Return the lower bound of the mean of *changes*, -1 to 1, by the bootstrap over them.

    Two prompts are added that no one asked, one worse and one better by :data:`ADDED`: few changes,
    or many that are the same, show less than they seem to. It is as much as the halves that the
    bound of right and wrong answers adds.
    """
    found = stats.bootstrap(
        ([*changes, -ADDED, ADDED],),
        np.mean,
        confidence_level=2 * CONFIDENCE - 1,
        n_resamples=RESAMPLES,
        batch=_BATCH,
        method="BCa",
        rng=np.random.default_rng(0),
    )
    low = float(found.confidence_interval.low)
    return max(-1.0, low) if math.isfinite(low) else -1.0
