"""What was compared, in one table: each variant's engine, model, precision and device."""

from __future__ import annotations

from typing import Final

from pytest_llmbench.report.columns import ABSENT
from pytest_llmbench.report.figures.facts import Line, Table, name_of
from pytest_llmbench.report.precision import precision_of
from pytest_llmbench.report.results import Study, VariantResult
from pytest_llmbench.report.text import one_line

_LONGEST: Final = 80


def compared_table(study: Study) -> Table | None:
    """Return a line for each variant, whether it could be loaded or not; ``None`` of none."""
    if not study.variants:
        return None
    with_adapter = any("adapter" in life.config for life in study.variants.values())
    adapter = ("adapter",) if with_adapter else ()
    headings = ("variant", "engine", "model", *adapter, "precision", "runs on")
    return Table(
        headings=headings,
        words=len(headings),
        lines=tuple(
            Line(
                cells=(
                    name_of(name),
                    *(_configured(life, key) for key in ("engine", "model", *adapter)),
                    *_loaded(life),
                ),
                tags={"variant": name_of(name)},
            )
            for name, life in study.variants.items()
        ),
    )


def _configured(life: VariantResult, key: str) -> str:
    return one_line(str(life.config.get(key, ABSENT)), _LONGEST)


def _loaded(life: VariantResult) -> tuple[str, str]:
    """Return precision and device as the engine says them of what it loaded."""
    if life.facts is None:
        return ABSENT, ABSENT
    precision = precision_of(life.facts.identity) or ABSENT
    return one_line(precision, _LONGEST), one_line(life.facts.device, _LONGEST)
