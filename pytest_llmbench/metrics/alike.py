"""What two sequences begin with alike."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile


def first_difference(one: Sequence[object], other: Sequence[object]) -> int:
    """Return how many items the two have in common before the first that differs."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
