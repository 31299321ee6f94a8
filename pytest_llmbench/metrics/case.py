"""What a case reports: each metric over its rounds, and the one number that gates compare.

Plain means of rounds are not taken: one stall moves the mean of the token times of an unchanged
model by a third. Rounds are averaged without their extremes (:mod:`.middle`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind, Metric, Statistic
from pytest_llmbench.domain.record import Measured
from pytest_llmbench.domain.suite import Prompt
from pytest_llmbench.domain.trace import DeviceMemory, Memory, ReportedMemory, Round
from pytest_llmbench.metrics.faults import faults
from pytest_llmbench.metrics.middle import middle_mean, of_middle
from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.metrics.score import score
from pytest_llmbench.metrics.taint import Machine, taint

LOW_QUANTILE: Final = 0.1

FEWEST: Final = 3
"""So many undisturbed rounds are enough, however many others there were."""

_RANGE_OF_NORMALS: Final = (1.128, 1.693, 2.059, 2.326, 2.534, 2.704, 2.847, 2.970, 3.078)
"""Expected range of 2, 3 … 10 standard normal values: the control chart's d2."""


def case_metrics(
    rounds: Sequence[Round],
    prompt: Prompt,
    memory: Memory | None,
    *,
    machine: Machine = Machine(),  # noqa: B008 — a frozen fact
    quality: bool = True,
    fixed: bool = False,
    score: Callable[[Prompt, str], float | None] = score,
) -> dict[str, Measured]:
    """Return the metrics of one case in base units, in the catalogue's order.

    ``value`` is the median, ``gate`` the metric's own statistic, ``rounds`` every value in the
    order measured. Noisy metrics leave disturbed rounds out of value and gate (see
    :func:`clean_rounds`, and *machine* at :func:`pytest_llmbench.metrics.taint.taint`). Without
    *quality* nothing is said of the text: the weights are random. Texts of a *fixed* length have
    no faults: they were made to go on past their end. *score* says how right an answer is.
    """
    said = [
        _of_text(entry.trace.text, prompt, score, fixed=fixed) if quality else {}
        for entry in rounds
    ]
    each = [round_metrics(entry.trace) | of_it for entry, of_it in zip(rounds, said, strict=True)]
    clean = clean_rounds(rounds, machine)
    launches = [entry.launch for entry in rounds]
    measured = {
        name: _over_rounds(name, each, clean, launches)
        for name in CATALOGUE
        if any(name in m for m in each)
    }
    memories = memory_metrics(memory)
    return {n: (measured | memories)[n] for n in CATALOGUE if n in measured or n in memories}


def clean_rounds(rounds: Sequence[Round], machine: Machine) -> tuple[bool, ...]:
    """Return for each round whether it counts: undisturbed, or all where too few are.

    Enough are half of the rounds, or three. Where there are fewer, all count, and it is for the
    judge to say so (:func:`pytest_llmbench.verdict.disturbance.disturbance`).
    """
    clean = [taint(entry.contention, machine) is None for entry in rounds]
    return tuple(clean) if enough_clean(clean) else (True,) * len(clean)


def is_clean(rounds: Sequence[Round], machine: Machine) -> bool:
    """Whether enough of *rounds* were undisturbed for them to stand for the case."""
    return enough_clean([taint(entry.contention, machine) is None for entry in rounds])


def enough_clean(clean: Sequence[bool]) -> bool:
    """Whether so many undisturbed rounds stand for a case."""
    return sum(clean) * 2 >= len(clean) or sum(clean) >= FEWEST


def session_statistic(values: Sequence[float], statistic: Statistic) -> float:
    """Return the number that stands for a launch: the middle mean or the 10th percentile.

    Quantiles interpolate linearly between order statistics (numpy's default, type 7). Where the
    rounds of an exact metric disagree, which they should not, their median stands for them.
    """
    if statistic is Statistic.MIDDLE:
        return middle_mean(values)
    share = LOW_QUANTILE if statistic is Statistic.LOW_QUANTILE else 0.5
    return float(np.quantile(np.asarray(values, dtype=float), share))


def round_spread(values: Sequence[float], statistic: Statistic) -> float:
    """Return the standard deviation that *values* show, estimated from their range.

    The range sees what a median absolute deviation of five values is blind to: two rounds of
    five in another gear. For a low quantile only the side below the median counts, twice, since
    a stall in one round says nothing of the fastest ones. The factors are the expected range of
    so many normal values (d2 of control charts); beyond ten the last one stands, which errs
    towards more spread.
    """
    if len(values) < 2:
        return 0.0
    width = max(values) - min(values)
    if statistic is Statistic.LOW_QUANTILE:
        width = 2 * (float(np.median(values)) - min(values))
    return width / _RANGE_OF_NORMALS[min(len(values), 10) - 2]


def memory_metrics(memory: Memory | None) -> dict[str, Measured]:
    """Return the memory pass's readings, in bytes; what could not be read is absent."""
    if memory is None:
        return {}
    readings = {
        "rss_peak_bytes": None if memory.host is None else memory.host.rss_peak,
        **_device(memory.device),
        **_reported(memory.reported),
    }
    return {
        name: Measured(value=float(value), gate=float(value), rounds=None)
        for name, value in readings.items()
        if value is not None
    }


def _device(device: DeviceMemory | None) -> dict[str, int | None]:
    if device is None:
        return {}
    return {
        "device_alloc_peak_bytes": device.alloc_peak,
        "device_reserved_peak_bytes": device.reserved_peak,
        "device_process_bytes": device.process,
    }


def _reported(reported: ReportedMemory | None) -> dict[str, int | None]:
    if reported is None:
        return {}
    return {"reported_bytes": reported.total, "reported_device_bytes": reported.device}


def _of_text(
    text: str, prompt: Prompt, score: Callable[[Prompt, str], float | None], *, fixed: bool
) -> dict[str, float]:
    scored = score(prompt, text)
    found = {} if scored is None else {"score": scored}
    if not fixed:  # what comes after the end token has any fault there is
        found["faults"] = float(len(faults(text)))
    return found


def _over_rounds(
    name: str, each: Sequence[dict[str, float]], clean: Sequence[bool], launches: Sequence[int]
) -> Measured:
    """Return one metric over its rounds; those that do not define it have no entry."""
    every = tuple(values[name] for values in each if name in values)
    noisy = CATALOGUE[name].kind is Kind.NOISY
    counted: dict[int, list[float]] = defaultdict(list)
    for values, launch, counts in zip(each, launches, clean, strict=True):
        if name in values and (counts or not noisy):
            counted[launch].append(values[name])
    if not counted:
        counted[0] = list(every)
    return _measured(CATALOGUE[name], every, [counted[launch] for launch in sorted(counted)])


def _measured(
    metric: Metric, every: tuple[float, ...], launches: Sequence[Sequence[float]]
) -> Measured:
    gates = tuple(session_statistic(values, metric.statistic) for values in launches)
    counted = [value for values in launches for value in values]
    if metric.kind is not Kind.NOISY:
        statistic = session_statistic(counted, metric.statistic)
        return Measured(value=statistic, gate=statistic, rounds=every)
    gate = middle_mean(gates)
    error = math.sqrt(sum(_squared_error(values, metric) for values in launches)) / len(launches)
    return Measured(
        value=float(np.median(counted)),
        gate=gate,
        rounds=every,
        launches=gates,
        error=error / abs(gate) if gate else 0.0,
    )


def _squared_error(values: Sequence[float], metric: Metric) -> float:
    """Return the squared standard error of a launch's statistic, as its rounds show it."""
    weight = of_middle(len(values)) if metric.statistic is Statistic.MIDDLE else 1 / len(values)
    return round_spread(values, metric.statistic) ** 2 * weight
