"""The middle mean: what is left without the lowest and the highest quarter, averaged.

One stall moves the mean of the token times of unchanged code by a third, and the median is blind
to everything but one value: where a processor has two speeds it jumps from one to the other. The
middle mean withstands a bad quarter, and takes three quarters of the rounds that the median needs
to know as much. It is the interquartile mean, which goes by Tukey's name of midmean as well; where
a quarter is less than one value, one goes from either end all the same, as soon as there are three.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.float64]

_VARIANCES: Final = (
    1.0, 0.5, 0.4487, 0.2982, 0.2271, 0.1840, 0.1549, 0.1477, 0.1282, 0.1133, 0.1016, 0.0985,
)  # fmt: skip
_LIMIT: Final = 1.1952


def middle_mean(values: Sequence[float]) -> float:
    """Return the middle mean of *values*, at least one; of one or two it is their mean."""
    return float(middle(np.asarray(values, dtype=float), axis=0))


def middle(grid: Grid, axis: int) -> Grid:
    """Return the middle means along *axis* of what there is; NaN where there is nothing.

    Args:
        grid: values; NaN is left out.
        axis: what to average over; the result has the other axes.
    """
    ordered = np.moveaxis(np.sort(grid, axis=axis), axis, -1)  # NaN comes last
    known = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    cut = np.where(known < 3, 0, np.maximum(1, known // 4))
    place = np.arange(ordered.shape[-1])
    kept = (place >= cut) & (place < known - cut)
    sums = np.where(kept, ordered, 0.0).sum(axis=-1)
    counts = kept.sum(axis=-1)
    found: Grid = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return found


def of_middle(count: int) -> float:
    """Return the variance of the middle mean of *count* values, in variances of one of them.

    Those of few normal values stand in a table, calculated from the joint distribution of their
    order statistics; beyond it the limit 1.1952 ÷ count, which errs towards more by 7 % at most.

    Raises:
        ValueError: *count* is below 1: nothing has no middle.
    """
    if count < 1:
        raise ValueError(f"the middle of {count} values is not defined")
    return _VARIANCES[count - 1] if count <= len(_VARIANCES) else _LIMIT / count
