"""The two custom formats of github-action-benchmark: one file a direction, each a list of numbers.

An entry has ``name``, ``unit`` and ``value``, and as texts ``range`` and ``extra``, which charts
show at the point. Source: its README, and the type ``BenchmarkResult`` of its ``src/extract.ts``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pytest_llmbench.metrics.described import described
from pytest_llmbench.report.exports.headline import headline, subjects
from pytest_llmbench.report.exports.kinds import better
from pytest_llmbench.report.results import Results, Value


def render_smaller(results: Results) -> str:
    """Return what is better smaller: times, memory, divergence (tool customSmallerIsBetter)."""
    return _rendered(results, "lower")


def render_bigger(results: Results) -> str:
    """Return what is better bigger: rates, scores, likeness (tool customBiggerIsBetter)."""
    return _rendered(results, "higher")


def _rendered(results: Results, direction: str) -> str:
    return json.dumps(list(_entries(results, direction)), indent=2) + "\n"


def _entries(results: Results, direction: str) -> Iterator[dict[str, object]]:
    for subject, metrics in subjects(results):
        for name, measured, value in headline(metrics):
            if better(name) == direction:
                entry = {"name": f"{subject}: {name}", "unit": measured.unit, "value": value}
                yield entry | _spread(measured)


def _spread(measured: Value) -> dict[str, object]:
    spread = described(measured.rounds)
    if spread is None or spread.deviation is None:
        return {}
    extra = f"median of {len(spread.values)} rounds\n{spread.lowest:.6g} to {spread.highest:.6g}"
    return {"range": f"± {spread.deviation:.3g}", "extra": extra}
