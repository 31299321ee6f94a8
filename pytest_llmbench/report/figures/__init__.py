"""The figures of a report: what is drawn, the numbers in it, and what it shows in words.

All arithmetic over cases stands here and in :mod:`pytest_llmbench.metrics`, so that drawing has
none. A figure whose data is not there says why, in a sentence.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pytest_llmbench.report.figures.drift import drift_figures
from pytest_llmbench.report.figures.facts import Figure, name_of
from pytest_llmbench.report.figures.heat import heat_figures
from pytest_llmbench.report.figures.memory import memory_figures
from pytest_llmbench.report.figures.ranking import ranking_figures
from pytest_llmbench.report.figures.spread import spread_figures
from pytest_llmbench.report.figures.sweeps import sweep_figures
from pytest_llmbench.report.figures.tradeoff import tradeoff_figures
from pytest_llmbench.report.figures.verdicts import verdict_figures
from pytest_llmbench.report.results import Study

__all__ = ["Figure", "all_figures"]


def all_figures(study: Study) -> tuple[Figure, ...]:
    """Return every figure of *study*, in the report's order, those without data among them."""
    makers = (
        verdict_figures,
        ranking_figures,
        heat_figures,
        tradeoff_figures,
        memory_figures,
        sweep_figures,
        spread_figures,
        drift_figures,
    )
    made = [figure for make in makers for figure in make(study)]
    every = (*study.variants, *(case.variant for case in study.cases))
    numbers = {name: n for n, name in enumerate(dict.fromkeys(map(name_of, every)))}
    return tuple(_numbered(figure, numbers) for figure in made)


def _numbered(figure: Figure, numbers: Mapping[str, int]) -> Figure:
    """Return *figure* with the number of each row's variant: it has one colour in all figures."""
    rows = tuple({**row, "series": numbers[str(row["variant"])]} for row in figure.rows)
    return dataclasses.replace(figure, rows=rows)
