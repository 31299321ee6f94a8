"""One variant ÷ another, from rounds that took turns: what slows the machine cancels out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind, Metric, Statistic
from pytest_llmbench.domain.record import Relative
from pytest_llmbench.domain.trace import Round
from pytest_llmbench.metrics.case import (
    clean_rounds,
    is_clean,
    round_spread,
    session_statistic,
)
from pytest_llmbench.metrics.middle import middle_mean, of_middle
from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.metrics.taint import Machine

_Turn = tuple[int, int]


def relative_metrics(
    rounds: Sequence[Round], others: Sequence[Round], to: str, machine: Machine
) -> dict[str, Relative]:
    """Return every noisy metric of *rounds* as a multiple of that of *others*, by name.

    A launch's ratio is the middle mean over the turns in which both were undisturbed. One without
    such a turn says nothing where others have one: what disturbed the one of a turn will have
    reached the other, seen or not. Where none has, it is the ratio of the two statistics of each
    launch. Launches that only one of the two has say nothing either; a metric that one of them
    lacks, or that is zero, is absent. There is none at all where *others* were disturbed, and
    *rounds* were not: the ratio would be the disturbance's.

    Args:
        rounds: of the variant.
        others: of the variant *to*, whose rounds alternated with these.
        to: its name.
        machine: to tell disturbed rounds.
    """
    if is_clean(rounds, machine) and not is_clean(others, machine):
        return {}
    mine, theirs = _counted(rounds, machine), _counted(others, machine)
    found = {
        name: _relative(CATALOGUE[name], mine, theirs, to)
        for name in CATALOGUE
        if CATALOGUE[name].kind is Kind.NOISY
    }
    return {name: relative for name, relative in found.items() if relative is not None}


def _counted(rounds: Sequence[Round], machine: Machine) -> dict[_Turn, Mapping[str, float]]:
    clean = clean_rounds(rounds, machine)
    return {
        (entry.launch, entry.turn): round_metrics(entry.trace)
        for entry, counts in zip(rounds, clean, strict=True)
        if counts
    }


def _relative(
    metric: Metric,
    mine: Mapping[_Turn, Mapping[str, float]],
    theirs: Mapping[_Turn, Mapping[str, float]],
    to: str,
) -> Relative | None:
    both = [
        tuple(_of_launch(side, launch, metric.name) for side in (mine, theirs))
        for launch in sorted({turn[0] for turn in mine} & {turn[0] for turn in theirs})
    ]
    paired = [(ours, its) for ours, its in both if ours.keys() & its.keys()]
    found = [_in_turns(ours, its) for ours, its in paired] or [
        (_apart(metric, ours, its), 0.0) for ours, its in both if ours and its
    ]
    if not found:
        return None
    launches, errors = zip(*found, strict=True)
    return Relative(
        to=to,
        value=math.exp(float(np.mean(launches))),
        launches=tuple(math.exp(ratio) for ratio in launches),
        error=math.sqrt(sum(error**2 for error in errors)) / len(errors),
    )


def _of_launch(
    side: Mapping[_Turn, Mapping[str, float]], launch: int, name: str
) -> dict[int, float]:
    """Return the logarithms of one metric by turn."""
    return {
        turn: math.log(values[name])
        for (number, turn), values in side.items()
        if number == launch and values.get(name, 0.0) > 0
    }


def _in_turns(ours: Mapping[int, float], its: Mapping[int, float]) -> tuple[float, float]:
    """Return the logarithm of the ratio in the turns of both, and its standard error."""
    pairs = [ours[turn] - its[turn] for turn in ours.keys() & its.keys()]
    spread = round_spread(pairs, Statistic.MIDDLE)
    return middle_mean(pairs), spread * math.sqrt(of_middle(len(pairs)))


def _apart(metric: Metric, ours: Mapping[int, float], its: Mapping[int, float]) -> float:
    """Return the logarithm of the ratio of both statistics."""
    one, other = (session_statistic(list(s.values()), metric.statistic) for s in (ours, its))
    return one - other
