"""The metrics that formats carry which draw a chart, or make a table, of each of them.

Those that are compared with a baseline by default, and the figures that people ask for first. CSV
and the JSON report have all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.report.results import Results, Value
from pytest_llmbench.report.text import one_line

_ASKED_FOR: Final = frozenset({"latency_s", "decode_tps", "output_tps", "load_s"})

HEADLINE: Final = tuple(
    name for name, metric in CATALOGUE.items() if metric.gated or name in _ASKED_FOR
)
"""Their names, in the catalogue's order."""


def headline(metrics: Mapping[str, Value]) -> Iterator[tuple[str, Value, float]]:
    """Yield name, measured value and number of each that is in *metrics* and finite."""
    for name in HEADLINE:
        measured = metrics.get(name)
        if measured is not None and measured.value is not None:
            yield name, measured, measured.value


def subjects(results: Results) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Yield what was measured: every case by its id, then every variant's life by its name.

    Names are one line each, without characters that act on a terminal.
    """
    for case in results.cases:
        yield one_line(case.id), case.metrics
    for name, variant in results.variants.items():
        yield one_line(name), variant.life_cycle
