"""The control: did the machine change while variants were measured one after the other?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import median
from typing import Final

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.record import CaseRecord
from pytest_llmbench.runner.bench import Bench

MOST_CASES: Final = 8
"""Cases of the reference that are measured again, evenly spread over all of them."""


def reference_again(bench: Bench) -> dict[str, float]:
    """Measure the reference again in a fresh process; return how its noisy metrics changed.

    A share of each gated noisy metric, the median over cases; these are times, so that positive
    is slower. Empty where there is no reference, or all variants were loaded together, so that
    none is needed.
    """
    reference = bench.plan.reference
    if reference is None or not bench.plan.one_after_the_other:
        return {}
    records = [
        record
        for record in bench.cases.values()
        if record.case.variant == reference and record.error is None
    ]
    some = records[:: max(1, -(-len(records) // MOST_CASES))]
    again = [bench.look_again(r.case, fresh=r is some[0], keep=True) for r in some]
    return _changes(now for now, before in zip(again, some, strict=True) if now is not before)


def _changes(records: Iterable[CaseRecord]) -> dict[str, float]:
    every = list(records)
    found = {}
    for metric in CATALOGUE.values():
        if metric.kind is Kind.NOISY and metric.gated:
            changes = [change for r in every if (change := _change(r, metric.name)) is not None]
            if changes:
                found[metric.name] = math.expm1(median(changes))
    return found


def _change(record: CaseRecord, metric: str) -> float | None:
    measured = record.metrics.get(metric)
    if measured is None or len(measured.launches) < 2 or min(measured.launches) <= 0:
        return None
    return math.log(measured.launches[-1] / measured.launches[0])
