"""Memory at its peak, and from the start of a variant's life to its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pytest_llmbench.report import charts
from pytest_llmbench.report.columns import ABSENT
from pytest_llmbench.report.figures.facts import (
    Figure,
    Line,
    Row,
    Table,
    by_variant,
    name_of,
)
from pytest_llmbench.report.figures.select import DEVICE, RESIDENT, highest
from pytest_llmbench.report.results import Study
from pytest_llmbench.units import axis_scale, format_bytes, format_seconds

PHASES: Mapping[str, str] = {
    "start": "start_s",
    "load": "load_s",
    "first generation": "first_generate_s",
    "free": "free_s",
}
"""Parts of a variant's life that take time once."""

_PLACES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "process": (
        "Memory of the process",
        {
            "before": "rss_before_bytes",
            "loaded": "rss_after_load_bytes",
            "peak": "rss_life_peak_bytes",
            "freed": "rss_after_free_bytes",
        },
    ),
    "device": (
        "Memory on the device",
        {
            "before": "device_before_bytes",
            "loaded": "device_after_load_bytes",
            "freed": "device_after_free_bytes",
        },
    ),
    "system": (
        "Used memory of the whole machine",
        {
            "before": "system_ram_before_bytes",
            "loaded": "system_ram_after_load_bytes",
            "peak": "system_ram_peak_bytes",
            "freed": "system_ram_after_free_bytes",
        },
    ),
}

Shown = Callable[[float], str]
Amounts = dict[str, dict[str, float]]
"""Of each variant, an amount by the name of a part."""


def memory_figures(study: Study) -> tuple[Figure, ...]:
    """Return peaks, moments of life in three places, and what takes time once."""
    return (_peaks(study), *(_moments(study, place) for place in _PLACES), _phases(study))


def _peaks(study: Study) -> Figure:
    cases = by_variant(study.cases)
    amounts: Amounts = {}
    for variant in dict.fromkeys((*cases, *study.variants)):
        life = study.variants.get(variant)
        parts = {
            "resident": highest(cases.get(variant, []), RESIDENT),
            "device": highest(cases.get(variant, []), DEVICE),
            "weights": None if life is None else life.value("model_bytes"),
        }
        amounts[variant] = {part: value for part, value in parts.items() if value is not None}
    figure = Figure(name="memory-peak", section="memory", title="Memory at its peak")
    if not any(amounts.values()):
        return dataclasses.replace(figure, absent="The memory of no variant is known.")
    divisor, unit = _scale(amounts)
    return dataclasses.replace(
        figure,
        caption="Highest over the cases: resident is the host's memory (of a server, what it "
        "reports), device is VRAM, weights are the model's own bytes.",
        says=_said(amounts, "resident"),
        rows=_rows(amounts, divisor, "part"),
        draw=partial(charts.bars, title=f"memory ({unit})"),
        table=_table(amounts, ("resident", "device", "weights"), format_bytes),
    )


def _moments(study: Study, place: str) -> Figure:
    title, metrics = _PLACES[place]
    amounts = _of_lives(study, metrics)
    if place == "device":
        _add_device_peaks(study, amounts)
    figure = Figure(name=f"memory-life-{place}", section="memory", title=f"{title}, over its life")
    if not any(len(found) > 1 for found in amounts.values()):
        why = "no variant ran on one that tells" if place == "device" else "no variant was loaded"
        return dataclasses.replace(figure, absent=f"{title} is not known: {why}.")
    divisor, unit = _scale(amounts)
    return dataclasses.replace(
        figure,
        caption="Before the model is loaded, loaded, at its highest, and freed again. The increase "
        "in the table is from before to loaded. "
        + ("All programs count, so it is never judged." if place == "system" else ""),
        says=_said(amounts, "peak"),
        rows=_rows(amounts, divisor, "moment"),
        draw=partial(charts.moments, title=f"memory ({unit})"),
        table=_table(_with_rise(amounts), (*charts.MOMENTS, "increase"), format_bytes),
    )


def _add_device_peaks(study: Study, amounts: Amounts) -> None:
    """Add what the cases say of the device: lives are not asked at their highest moment."""
    for variant, cases in by_variant(study.cases).items():
        peak = highest(cases, ("device_process_bytes", "device_alloc_peak_bytes"))
        if peak is not None and amounts.get(variant):
            amounts[variant]["peak"] = max(peak, *amounts[variant].values())


def _phases(study: Study) -> Figure:
    amounts = _of_lives(study, PHASES)
    figure = Figure(name="life-times", section="memory", title="What takes time once")
    if not any(amounts.values()):
        return dataclasses.replace(figure, absent="No variant was loaded.")
    divisor, unit = axis_scale([sum(found.values()) for found in amounts.values()], "s")
    return dataclasses.replace(
        figure,
        caption="From the start of a process to its libraries being there, loading the model, the "
        "cold first generation, and freeing it: in all, what one short answer takes from nothing.",
        says=_said(amounts, "load", shown=format_seconds),
        rows=_rows(amounts, divisor, "part", shown=format_seconds, order=tuple(PHASES)),
        draw=partial(charts.phases, title=f"time ({unit})"),
        table=_table(_with_sum(amounts), (*PHASES, "in all"), format_seconds),
    )


def _with_rise(amounts: Amounts) -> Amounts:
    """Return *amounts*, and by how much loading the model raised each."""
    return {
        variant: found | {"increase": found["loaded"] - found["before"]}
        if {"before", "loaded"} <= found.keys()
        else found
        for variant, found in amounts.items()
    }


def _with_sum(amounts: Amounts) -> Amounts:
    """Return *amounts*, and what all parts take together where each of them is known."""
    return {
        variant: found | {"in all": sum(found.values())} if found.keys() == PHASES.keys() else found
        for variant, found in amounts.items()
    }


def _of_lives(study: Study, metrics: Mapping[str, str]) -> Amounts:
    return {
        variant: {
            part: value
            for part, metric in metrics.items()
            if (value := life.value(metric)) is not None
        }
        for variant, life in study.variants.items()
    }


def _scale(amounts: Amounts) -> tuple[float, str]:
    return axis_scale([value for found in amounts.values() for value in found.values()], "B")


def _said(amounts: Amounts, part: str, *, shown: Shown = format_bytes) -> str:
    found = {variant: parts[part] for variant, parts in amounts.items() if part in parts}
    ordered = sorted(found, key=lambda variant: found[variant])
    return "; ".join(f"{name_of(variant)}: {part} {shown(found[variant])}" for variant in ordered)


def _rows(
    amounts: Amounts,
    divisor: float,
    field: str,
    *,
    shown: Shown = format_bytes,
    order: Sequence[str] = (),
) -> tuple[Row, ...]:
    return tuple(
        {
            "variant": name_of(variant),
            field: part,
            "amount": value / divisor,
            "text": shown(value),
            "order": order.index(part) if order else 0,
        }
        for variant, parts in amounts.items()
        for part, value in parts.items()
    )


def _table(amounts: Amounts, parts: Sequence[str], shown: Shown) -> Table:
    there = [part for part in parts if any(part in found for found in amounts.values())]
    return Table(
        headings=("variant", *there),
        words=1,
        lines=tuple(
            Line(
                cells=(
                    name_of(variant),
                    *(shown(found[part]) if part in found else ABSENT for part in there),
                ),
                tags={"variant": name_of(variant)},
            )
            for variant, found in amounts.items()
        ),
    )
