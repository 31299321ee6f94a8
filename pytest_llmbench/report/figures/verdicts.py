"""How many cases of each variant got which verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report import charts
from pytest_llmbench.report.figures.facts import Figure, Line, Table, by_variant, name_of
from pytest_llmbench.report.results import CaseResult, Said, Study
from pytest_llmbench.verdict.outcome import SEVERITY

NAME = "verdicts-by-variant"


def worst_of(said: Iterable[Said]) -> VerdictKind | None:
    """Return the worst kind that was said; ``None`` where nothing was."""
    kinds = {each.kind for each in said}
    return next((kind for kind in SEVERITY if kind in kinds), None)


def kind_of(case: CaseResult) -> VerdictKind | None:
    """Return the worst that was said of *case*; one that failed is an error."""
    return VerdictKind.ERROR if case.error is not None else worst_of(case.verdicts)


def verdict_figures(study: Study) -> tuple[Figure, ...]:
    """Return the verdicts by variant."""
    counted = {
        variant: Counter(kind for case in cases if (kind := kind_of(case)) is not None)
        for variant, cases in by_variant(study.cases).items()
    }
    title = "Verdicts by variant"
    if not any(counted.values()):
        absent = "Nothing was said of any case: nothing was compared and no limit was set."
        return (Figure(name=NAME, section="overview", title=title, absent=absent),)
    return (
        Figure(
            name=NAME,
            section="overview",
            title=title,
            caption="Each case counts once, by the worst that was said of it.",
            says="; ".join(
                f"{name_of(variant)}: {_listed(kinds)}" for variant, kinds in counted.items()
            ),
            rows=tuple(
                {
                    "variant": name_of(variant),
                    "verdict": kind,
                    "order": order,
                    "count": kinds[kind],
                    "text": f"{kinds[kind]} {kind}",
                }
                for variant, kinds in counted.items()
                for order, kind in enumerate(SEVERITY)
                if kinds[kind]
            ),
            draw=charts.verdict_counts,
            table=_table(counted),
        ),
    )


def _listed(kinds: Counter[VerdictKind]) -> str:
    return ", ".join(f"{kinds[kind]} {kind}" for kind in SEVERITY if kinds[kind]) or "nothing"


def _table(counted: dict[str, Counter[VerdictKind]]) -> Table:
    there = [kind for kind in SEVERITY if any(kinds[kind] for kinds in counted.values())]
    return Table(
        headings=("variant", *there),
        words=1,
        lines=tuple(
            Line(
                cells=(name_of(variant), *(str(kinds[kind]) for kind in there)),
                tags={"variant": name_of(variant)},
            )
            for variant, kinds in counted.items()
        ),
    )
