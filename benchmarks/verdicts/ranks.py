"""Two samples as ranks, and how likely Mann-Whitney's U is where both are alike.

U is the number of pairs (first, second) in which the first is larger, a tie counting half.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Ranked(NamedTuple):
    """Two samples as ranks: sizes, U of the first, how many share each value, smallest first."""

    first: int
    second: int
    u: float
    ties: tuple[int, ...]

    @property
    def tied(self) -> bool:
        """Whether any value occurs twice."""
        return len(self.ties) < self.first + self.second


def ranked(first: Sequence[float], second: Sequence[float]) -> Ranked:
    """Return the ranks of two samples, neither of them empty."""
    both = np.concatenate([first, second])
    _, places, ties = np.unique(both, return_inverse=True, return_counts=True)
    ranks = np.cumsum(ties) - (ties - 1) / 2
    size = len(first)
    u = float(ranks[places[:size]].sum()) - size * (size + 1) / 2
    return Ranked(size, len(second), u, tuple(map(int, ties)))


def exact_tail(ranks: Ranked, u: float) -> float:
    """Return the probability of a U of at least *u* where both samples are alike."""
    counts = null_counts(ranks.first, ranks.ties)
    return float(counts[round(2 * u) :].sum() / counts.sum())


@functools.lru_cache(maxsize=256)
def null_counts(first: int, ties: tuple[int, ...]) -> NDArray[np.float64]:
    """Return in how many ways *first* of all values have the sum 2 U, by 2 U.

    Value by value, the smallest first: of the values that share it any number may belong to the
    first sample, and each of those beats what is below in the second and ties what is beside.
    """
    second = sum(ties) - first
    ways = np.zeros((first + 1, 2 * first * second + 1))
    ways[0, 0] = 1
    seen = 0
    for tie in ties:
        before, ways = ways, np.zeros_like(ways)
        for taken in range(max(0, seen - second), min(seen, first) + 1):
            for more in range(min(tie, first - taken) + 1):
                gain = more * (2 * (seen - taken) + tie - more)
                if seen + tie - taken - more <= second:
                    shifted = before[taken, : ways.shape[1] - gain]
                    ways[taken + more, gain:] += math.comb(tie, more) * shifted
        seen += tie
    counted: NDArray[np.float64] = ways[first]
    return counted


def normal_tail(ranks: Ranked, u: float) -> float:
    """Return the probability of a U of at least *u* by the corrected normal approximation."""
    size, pairs = ranks.first + ranks.second, ranks.first * ranks.second
    ties = sum(tie**3 - tie for tie in ranks.ties) / (size * (size - 1))
    variance = pairs / 12 * (size + 1 - ties)
    return above((u - pairs / 2 - 0.5) / math.sqrt(variance)) if variance > 0 else 1.0


def above(z: float) -> float:
    """Return the probability that a standard normal value is above *z*."""
    return 0.5 * math.erfc(z / math.sqrt(2))
