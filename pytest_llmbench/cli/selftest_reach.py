"""How small a worsening the gate could have found in a session: the numbers behind "it works"."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from pytest_llmbench.config import Config
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.record import CaseRecord
from pytest_llmbench.verdict.compare import accepted_amounts
from pytest_llmbench.verdict.context import Context
from pytest_llmbench.verdict.held import Ground, Held
from pytest_llmbench.verdict.judge import FEWEST_CASES
from pytest_llmbench.verdict.noisy import compare_noisy
from pytest_llmbench.verdict.yardstick import held_of_case, held_of_variant

SPEED: Final = ("itl_s", "icl_s", "ttft_s")
"""The gated metrics that a slower token shows in, a server's chunks among them."""


class Reach(Fact, frozen=True, kw_only=True):
    """What could have been found of one metric of one variant.

    Attributes:
        variant, metric: their names.
        detectable: the smallest worsening that could have been found, as a share.
        accepted: worsening that is accepted, as a share.
        ground: what it was held against.
        to: the variant that a ratio is to.
        sessions: of the baseline.
        launches: of this session.
        cases: how many were taken together; 1 where the variant has too few for that.
    """

    variant: str
    metric: str
    detectable: float
    accepted: float
    ground: Ground
    to: str | None
    sessions: int
    launches: int
    cases: int


def reaches(context: Context, config: Config, variants: Iterable[str]) -> tuple[Reach, ...]:
    """Return what could be found of *variants* as wholes, by what was measured so far.

    Of a variant with too few comparable cases it is the most that one of them shows. What could
    not be compared is absent.
    """
    found = (
        _reach(CATALOGUE[metric], variant, context, config)
        for variant in variants
        for metric in SPEED
    )
    return tuple(reach for reach in found if reach is not None)


def by_metric(every: Sequence[Reach], variants: Iterable[str]) -> tuple[tuple[Reach, Reach], ...]:
    """Return of each metric of *variants*, in this order, what was found at once, and at best.

    At once is with the fewest launches: a worsening of that size is suspected, launched again,
    and then nearly always found. At best is the smallest of all, after such launches.
    """
    told = (
        [reach for reach in every if (reach.variant, reach.metric) == (variant, metric)]
        for variant in variants
        for metric in SPEED
    )
    return tuple(
        (
            min(mine, key=lambda reach: (reach.launches, reach.detectable)),
            min(mine, key=lambda reach: reach.detectable),
        )
        for mine in told
        if mine
    )


def _reach(metric: Metric, variant: str, context: Context, config: Config) -> Reach | None:
    records = [
        record
        for record in context.records.values()
        if record.case.variant == variant
        and metric.name in record.metrics
        and record.metrics[metric.name].gate > 0
    ]
    alarms = context.alarms
    whole = held_of_variant(metric, variant, context) if records else None
    if whole is not None and whole.cases >= FEWEST_CASES:
        return _told(metric, variant, whole, records, alarms.of_variant, config)
    told = [
        _told(metric, variant, held, [record], alarms.of_case, config)
        for record in records
        if (held := held_of_case(metric, record, context)) is not None
    ]
    return min(told, key=lambda reach: reach.detectable, default=None)


def _told(
    metric: Metric,
    variant: str,
    held: Held,
    records: Sequence[CaseRecord],
    alpha: float,
    config: Config,
) -> Reach:
    tolerances = config.gates.narrowed(config.variants[variant].gates).tolerances
    share, amount, floor = accepted_amounts(metric, 1.0, tolerances.get(metric.name))
    now = math.exp(sum(math.log(r.metrics[metric.name].gate) for r in records) / len(records))
    result = compare_noisy(metric, held, now, share=share, amount=max(amount, floor), alpha=alpha)
    return Reach(
        variant=variant,
        metric=metric.name,
        detectable=result.detectable,
        accepted=result.accepted,
        ground=held.ground,
        to=held.to,
        sessions=held.sessions,
        launches=held.launches,
        cases=held.cases,
    )
