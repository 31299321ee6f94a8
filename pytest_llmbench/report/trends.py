"""A metric over a baseline's sessions, as facts: of each variant and case, and where it changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.verdict import Difference
from pytest_llmbench.verdict.changes import FALSE_CHANGES, Change, change_points
from pytest_llmbench.verdict.series import (
    Series,
    case_series,
    cases_of,
    life_series,
    series_across,
    variants_of,
)
from pytest_llmbench.verdict.words import differences


class Turn(Fact, frozen=True, kw_only=True):
    """A change, and what else changed with it: versions, settings of the variant, the machine."""

    change: Change
    causes: tuple[Difference, ...]


class Trend(Fact, frozen=True, kw_only=True):
    """One variant or case.

    Attributes:
        name: the variant, or the case's key.
        values: one a session, oldest first, in the metric's base unit.
        turns: where they changed for good.
    """

    name: str
    values: Series
    turns: tuple[Turn, ...]


class Trends(Fact, frozen=True, kw_only=True):
    """A metric over the sessions of one baseline.

    Attributes:
        metric: which.
        machine, baseline: whose.
        saved_at: when each session was saved, oldest first.
        variants: each variant: of its life, or what its cases come to.
        cases: each case; none where the metric belongs to a variant's life.
    """

    metric: Metric
    machine: str
    baseline: str
    saved_at: tuple[str, ...]
    variants: tuple[Trend, ...]
    cases: tuple[Trend, ...]


def trends(baseline: Baseline, metric: Metric, globs: Sequence[str] = ()) -> Trends:
    """Return *metric* over the sessions of *baseline*.

    Args:
        baseline: its sessions, at least one.
        metric: one that baselines keep.
        globs: only variants and cases that match one of them; all where there is none.
    """
    owners = cases_of(baseline) if metric.of == "case" else {}
    cases = {key: case_series(baseline, key, metric) for key in owners}

    def of_variant(name: str) -> Series:
        if metric.of == "variant":
            return life_series(baseline, name, metric)
        return series_across(metric, [cases[key] for key, owner in owners.items() if owner == name])

    wanted = _wanted(globs)
    variants = {name: of_variant(name) for name in variants_of(baseline) if wanted(name)}
    shown = {key: series for key, series in cases.items() if wanted(key)}
    return Trends(
        metric=metric,
        machine=baseline.machine,
        baseline=baseline.name,
        saved_at=tuple(session.saved_at for session in baseline.sessions),
        variants=_trends(baseline, metric, variants, lambda name: name),
        cases=_trends(baseline, metric, shown, lambda key: owners[key]),
    )


def _wanted(globs: Sequence[str]) -> Callable[[str], bool]:
    return lambda name: not globs or any(fnmatchcase(name, glob) for glob in globs)


def _trends(
    baseline: Baseline,
    metric: Metric,
    series: dict[str, Series],
    variant_of: Callable[[str], str],
) -> tuple[Trend, ...]:
    """Return those that have any value.

    Half of the false changes that are allowed are for the variants, half for the cases, so that a
    page of many cases does not blunt what is said of the variants.
    """
    known = {name: values for name, values in series.items() if set(values) != {None}}
    alpha = FALSE_CHANGES / 2 / max(1, len(known))
    return tuple(
        Trend(
            name=name,
            values=values,
            turns=tuple(
                Turn(
                    change=change,
                    causes=_causes(baseline.sessions, values, change.at, variant_of(name)),
                )
                for change in change_points(metric, values, alpha=alpha)
            ),
        )
        for name, values in known.items()
    )


def _causes(
    sessions: Sequence[BaselineSession], values: Series, at: int, variant: str
) -> tuple[Difference, ...]:
    """Return what differs between the session of a change and the last one before it."""
    before = max(n for n in range(at) if values[n] is not None)
    then, now = sessions[before], sessions[at]
    context = differences(then.environment.context, now.environment.context)
    settings = differences(_settings(then, variant), _settings(now, variant))
    return tuple(dict.fromkeys((*context, *settings)))


def _settings(session: BaselineSession, variant: str) -> dict[str, str]:
    kept = session.variants.get(variant)
    return {} if kept is None else kept.settings
