"""Which variant is best, all things considered: a weighted ranking, and the Pareto front.

A ranking needs weights, and weights are an opinion: so they stand beside every ranking. The front
needs none: nothing on it is beaten in everything at once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Final, Literal

Better = Literal["lower", "higher"]

WEIGHTS: Final[Mapping[str, int]] = {"quality": 2, "speed": 1, "memory": 1}
"""How much each part of a ranking counts."""


def shares_of_best(values: Mapping[str, float], better: Better) -> dict[str, float]:
    """Return each value as a share of the best one: 1 for the best, 0.5 for half as good.

    Args:
        values: none of them negative.
        better: what is good. Half as good is half of the best, or twice where lower is better.
    """
    if not values:
        return {}
    if better == "higher":
        best = max(values.values())
        return {name: value / best if best else 1.0 for name, value in values.items()}
    best = min(values.values())
    return {name: best / value if value else 1.0 for name, value in values.items()}


def weighted(parts: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> float:
    """Return the weighted geometric mean of *parts*, shares of the best one.

    The geometric mean is not moved by what the best one is: it ranks by products of ratios. What
    is worth nothing in one part is worth nothing.

    Args:
        parts: at least one, each with its weight in *weights*.
        weights: above 0.

    Raises:
        ValueError: there is no part.
    """
    if not parts:
        raise ValueError("a ranking by nothing is not defined")
    if min(parts.values()) <= 0:
        return 0.0
    total = sum(weights[name] for name in parts)
    logs = sum(weights[name] * math.log(share) for name, share in parts.items())
    return math.exp(logs / total)


def geometric_mean(values: Collection[float]) -> float:
    """Return the geometric mean of *values*, at least one, all above 0."""
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def pareto_front(points: Mapping[str, tuple[float, float]]) -> frozenset[str]:
    """Return the names of the points that no other beats.

    Args:
        points: of each name its cost, which is better low, and its worth, which is better high.
            One point beats another where it is no worse in both and better in one.
    """

    def beaten(cost: float, worth: float) -> bool:
        return any(c <= cost and w >= worth and (c < cost or w > worth) for c, w in points.values())

    return frozenset(name for name, (cost, worth) in points.items() if not beaten(cost, worth))
