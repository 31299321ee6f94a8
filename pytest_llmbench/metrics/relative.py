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
"""A launch and a turn in it."""

_ByTurn = Mapping[int, float]
"""A launch's logarithms of one metric by turn."""


def relative_metrics(
    rounds: Sequence[Round], others: Sequence[Round], to: str, machine: Machine
) -> dict[str, Relative]:
    """Return every noisy metric of *rounds* as a multiple of that of *others*, by name.

    A launch's ratio is the middle mean over the turns in which both were undisturbed. One without
    such a turn says nothing where others have one: what disturbed the one of a turn will have
    reached the other, seen or not. Where none has, it is the ratio of the two statistics of each
    launch. Launches that only one of the two has say nothing either; a metric that one of them
    lacks, or that is zero, is absent. How sure it is, the spread of a launch's turns says; where
    no launch has two of them, that of either's rounds, which are further apart. There is none at
    all where *others* were disturbed, and *rounds* were not: the ratio would be the disturbance's.

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
        (_apart(metric, ours, its), min(len(ours), len(its))) for ours, its in both if ours and its
    ]
    if not found:
        return None
    launches, counts = zip(*found, strict=True)
    spread = _spread_of_pairs(paired)
    if spread is None:
        spread = math.hypot(*(_spread_of_rounds(side, metric.name) for side in (mine, theirs)))
    return Relative(
        to=to,
        value=math.exp(float(np.mean(launches))),
        launches=tuple(math.exp(ratio) for ratio in launches),
        error=spread * math.sqrt(sum(map(of_middle, counts))) / len(counts),
    )


def _of_launch(side: Mapping[_Turn, Mapping[str, float]], launch: int, name: str) -> _ByTurn:
    """Return the logarithms of one metric by turn."""
    return {
        turn: math.log(values[name])
        for (number, turn), values in side.items()
        if number == launch and values.get(name, 0.0) > 0
    }


def _in_turns(ours: _ByTurn, its: _ByTurn) -> tuple[float, int]:
    """Return the logarithm of the ratio in the turns of both, and how many these are."""
    pairs = _pairs(ours, its)
    return middle_mean(pairs), len(pairs)


def _pairs(ours: _ByTurn, its: _ByTurn) -> list[float]:
    return [ours[turn] - its[turn] for turn in ours.keys() & its.keys()]


def _spread_of_pairs(launches: Sequence[tuple[_ByTurn, _ByTurn]]) -> float | None:
    """Return the standard deviation of a turn's ratio, as the launches with several show it."""
    several = [pairs for ours, its in launches if len(pairs := _pairs(ours, its)) > 1]
    spreads = [round_spread(pairs, Statistic.MIDDLE) for pairs in several]
    return math.sqrt(float(np.mean(np.square(spreads)))) if spreads else None


def _spread_of_rounds(side: Mapping[_Turn, Mapping[str, float]], name: str) -> float:
    """Return the standard deviation of one metric's logarithms over all rounds."""
    logs = [math.log(values[name]) for values in side.values() if values.get(name, 0.0) > 0]
    return round_spread(logs, Statistic.MIDDLE)


def _apart(metric: Metric, ours: _ByTurn, its: _ByTurn) -> float:
    """Return the logarithm of the ratio of both statistics."""
    one, other = (session_statistic(list(s.values()), metric.statistic) for s in (ours, its))
    return one - other
