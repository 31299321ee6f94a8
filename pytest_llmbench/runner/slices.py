"""How the rounds of one turn are cut, and how their slices alternate.

Another guest on the same processor changes its pace within tenths of a second. A whole round has
one such pace or another; its slices have about those that the other variants' slices have.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterable, Mapping
from typing import Final, Protocol, TypeVar

SLICE_S: Final = 0.025
"""Seconds of a slice on a CPU, about. Single rounds' ratios of two processes of one model (108 M
parameters) were 2.9 % apart with slices of 160 ms, 2.2 % of 80 and 1.6 % of 40 (float32 under
transformers); of quicker tokens no closer with slices of less than 20 ms, and turns were longer."""

DEVICE_SLICE_S: Final = 0.05
"""Of one where a device is another: what shorter ones cost there has not been measured."""

LEAST_SLICE_TOKENS: Final = 4
"""Tokens of a slice, at least, unless these take longer than it: the first ones find the caches
cold, and of short tokens the median gap should not be one of theirs."""

LEAST_SLICES: Final = 6
"""Slices that a round has after its first token, at least, as far as these are not too short. Of
two processes of one model (24 tokens of 2.2 ms, twins, six launches), single rounds' ratios were
9.0 % apart with slices of 22 tokens, 5.4 % of 8 and 3.8 % of 4, a token's median 0, 1.8 and 3.4 %
longer."""

Who = TypeVar("Who")
_Who_contra = TypeVar("_Who_contra", contravariant=True)
Result = TypeVar("Result")


class Focus(Protocol[_Who_contra]):
    """Makes one worker the only one that runs."""

    def __call__(self, who: _Who_contra, /, *, again: bool = False) -> None:
        """*again*: all of the turn rested before, and started no processes since."""


def slice_tokens(
    tokens_s: Iterable[float | None], tokens: Iterable[int | None], slice_s: float = SLICE_S
) -> int:
    """Return how many tokens a slice has: about *slice_s* of the variants' mean, or fewer.

    All variants' slices have as many, so that rounds of equally many tokens end together. The
    shortest round has :data:`LEAST_SLICES` or more, unless these would be too short.

    Args:
        tokens_s: how long a token of each variant takes, where that is known.
        tokens: how many each generates, likewise.
        slice_s: seconds.
    """
    known = [seconds for seconds in tokens_s if seconds]
    if not known:
        return LEAST_SLICE_TOKENS
    wanted = max(1, round(slice_s * len(known) / sum(known)))
    shortest = min((count for count in tokens if count), default=0)
    most = (shortest - 1) // LEAST_SLICES if shortest else wanted
    return max(min(LEAST_SLICE_TOKENS, wanted), min(wanted, most))


def alternate(
    rounds: Mapping[Who, Generator[None, None, Result]], focus: Focus[Who]
) -> dict[Who, Result]:
    """Drive *rounds*, slice by slice and in their order, until all are over.

    Args:
        rounds: each yields wherever it pauses, such as :meth:`.Worker.generate_in_slices`. After
            an interruption none is left half-way.
        focus: makes one of them the only one that runs.

    Returns:
        What each of them returned.
    """
    under_way, results = dict(rounds), dict[Who, Result]()
    with contextlib.ExitStack() as closing:
        for slices in rounds.values():
            closing.callback(slices.close)
        for number in itertools.count():
            for who in list(under_way):
                focus(
                    who, again=number > 1
                )  # the first slice, with the prompt, may start processes
                try:
                    next(under_way[who])
                except StopIteration as end:
                    results[who] = end.value
                    del under_way[who]
            if not under_way:
                break
    return results
