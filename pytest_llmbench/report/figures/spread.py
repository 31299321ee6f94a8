"""How latency, throughput and the time between tokens are distributed."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from pytest_llmbench.metrics.gaps import STEPS, added, bounds, quantile, step_of
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
from pytest_llmbench.report.figures.select import (
    deviation,
    mean,
    measured,
    quantiles,
    rounds,
)
from pytest_llmbench.report.results import Study
from pytest_llmbench.units import Unit, axis_scale, format_amount, format_percent, format_seconds

_STEP_ERROR = 2 ** (1 / (2 * STEPS)) - 1
_SHARES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_COARSE: Final = {"rounds": 4, "gaps": 2}
"""Steps of the counted gaps that make one of a histogram: a bar is 19 % wide, or 9 %."""

_RARE: Final = 0.001
"""Steps at either end that together hold less than this share are told, and not drawn."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Measure:
    name: str
    metric: str
    unit: Unit
    title: str


_MEASURES: Final = (
    _Measure(name="latency", metric="latency_s", unit="s", title="Latency"),
    _Measure(name="throughput", metric="output_tps", unit="tok/s", title="Throughput"),
)


def spread_figures(study: Study) -> tuple[Figure, ...]:
    """Return latency and throughput by variant, and histograms of latency and of gaps."""
    return (
        *(_spread(study, measure) for measure in _MEASURES),
        _latencies(study),
        _gaps(study),
    )


def _spread(study: Study, measure: _Measure) -> Figure:
    figure = Figure(
        name=f"{measure.name}-by-variant", section="spread", title=f"{measure.title} by variant"
    )
    found = _rounds(study, measure.metric)
    if not found:
        return dataclasses.replace(figure, absent=f"No round has a {measure.name}.")
    divisor, unit = axis_scale([max(several) for several in found.values()], measure.unit)
    return dataclasses.replace(
        figure,
        caption="Rounds of all cases, of each equally many: the mark is the median, the bar holds "
        "the middle half, the line nine of ten.",
        says="; ".join(
            f"{name_of(variant)}: median {_amount(quantiles(several, [0.5])[0], measure)}"
            for variant, several in found.items()
        ),
        rows=tuple(
            _spread_row(variant, several, divisor, measure) for variant, several in found.items()
        ),
        draw=partial(charts.spread, title=f"{measure.name} ({unit})"),
        table=_table(found, measure),
    )


def _rounds(study: Study, metric: str) -> dict[str, list[float]]:
    return {
        variant: several
        for variant, cases in by_variant(measured(study)).items()
        if (several := rounds(cases, metric))
    }


def _spread_row(variant: str, several: Sequence[float], divisor: float, measure: _Measure) -> Row:
    low, q1, middle, q3, high = quantiles(several, _SHARES)
    return {
        "variant": name_of(variant),
        "low": low / divisor,
        "q1": q1 / divisor,
        "middle": middle / divisor,
        "q3": q3 / divisor,
        "high": high / divisor,
        "text": f"median {_amount(middle, measure)}, nine of ten from {_amount(low, measure)} to "
        f"{_amount(high, measure)}",
    }


def _table(found: Mapping[str, Sequence[float]], measure: _Measure) -> Table:
    return Table(
        headings=("variant", "median", "mean", "deviation", "least", "most", "rounds"),
        words=1,
        lines=tuple(
            Line(
                cells=(
                    name_of(variant),
                    _amount(quantiles(several, [0.5])[0], measure),
                    _amount(mean(several), measure),
                    _amount(deviation(several), measure),
                    _amount(min(several), measure),
                    _amount(max(several), measure),
                    str(len(several)),
                ),
                tags={"variant": name_of(variant)},
            )
            for variant, several in found.items()
        ),
    )


def _latencies(study: Study) -> Figure:
    figure = Figure(name="latency-histogram", section="spread", title="Distribution of latency")
    found = {
        variant: dict(Counter(step_of(value) for value in several if value > 0))
        for variant, several in _rounds(study, "latency_s").items()
    }
    return _histogram(figure, found, "rounds", "latency", "No round has a latency.")


def _gaps(study: Study) -> Figure:
    """Return the distribution of gaps; those between chunks are another thing than of tokens."""
    counted = {
        variant: added(case.gaps.counts for case in cases if case.gaps is not None)
        for variant, cases in by_variant(measured(study)).items()
    }
    between = {case.gaps.between for case in measured(study) if case.gaps is not None}
    figure = Figure(
        name="token-time-histogram", section="spread", title="Distribution of inter-token time"
    )
    what = "time between tokens"
    if "chunks" in between:
        what = "time between tokens, or a server's chunks"
    absent = "No round has two tokens."
    return _histogram(figure, counted, "gaps", what, absent)


def _histogram(
    figure: Figure, found: Mapping[str, Mapping[int, int]], unit_of: str, what: str, absent: str
) -> Figure:
    found = {variant: counts for variant, counts in found.items() if counts}
    if not found:
        return dataclasses.replace(figure, absent=absent)
    coarse = _COARSE[unit_of]
    drawn = {variant: _trimmed(_coarse(counts, coarse)) for variant, counts in found.items()}
    ends = [_begin(step + 1, coarse) for counts in drawn.values() for step in counts]
    divisor, unit = axis_scale(ends, "s")
    return dataclasses.replace(
        figure,
        caption=f"Share of all {unit_of} by {what}; steps of equal ratio, so that twice as long is "
        "equally far everywhere. What less than one in a thousand take is in the table only, whose "
        f"times are to within {format_percent(_STEP_ERROR)}.",
        says="; ".join(
            f"{name_of(variant)}: half within {format_seconds(quantile(counts, 0.5))}, 99 of 100 "
            f"within {format_seconds(quantile(counts, 0.99))}"
            for variant, counts in found.items()
        ),
        rows=tuple(
            row
            for variant, counts in drawn.items()
            for row in _bars(variant, counts, sum(found[variant].values()), divisor, coarse)
        ),
        draw=partial(charts.histogram, title=f"{what} ({unit})", share=f"share of {unit_of}"),
        table=_quantile_table(found, unit_of),
    )


def _coarse(counts: Mapping[int, int], width: int) -> dict[int, int]:
    """Return *counts* in steps of a histogram, those in between that nothing fell in among them."""
    coarse: Counter[int] = Counter()
    for step, count in counts.items():
        coarse[step // width] += count
    return {step: coarse[step] for step in range(min(coarse), max(coarse) + 1)}


def _trimmed(counts: Mapping[int, int]) -> dict[int, int]:
    """Return *counts* without the ends that hold next to nothing."""
    total = sum(counts.values())
    steps = sorted(counts)
    for end in (-1, 0):
        rest = 0
        while len(steps) > 1 and rest + counts[steps[end]] < _RARE * total:
            rest += counts[steps.pop(end)]
    return {step: counts[step] for step in steps}


def _begin(step: int, width: int) -> float:
    return bounds(step * width)[0]


def _bars(
    variant: str, counts: Mapping[int, int], total: int, divisor: float, width: int
) -> Iterator[Row]:
    """Yield a row for the beginning of each step, and the ground at both ends."""
    first, last = min(counts), max(counts)
    for step, count in [(first, 0), *counts.items(), (last + 1, 0)]:
        begin, end = _begin(step, width), _begin(step + 1, width)
        yield {
            "variant": name_of(variant),
            "begin": begin / divisor,
            "share": count / total,
            "text": f"{format_percent(count / total)} from {format_seconds(begin)} to "
            f"{format_seconds(end)}",
        }


def _quantile_table(found: Mapping[str, Mapping[int, int]], unit_of: str) -> Table:
    shares = (0.05, 0.5, 0.9, 0.99, 1.0)  # each to within half a step of the histogram
    return Table(
        headings=("variant", "5 %", "median", "90 %", "99 %", "most", unit_of),
        words=1,
        lines=tuple(
            Line(
                cells=(
                    name_of(variant),
                    *(format_seconds(quantile(counts, share)) for share in shares),
                    str(sum(counts.values())),
                ),
                tags={"variant": name_of(variant)},
            )
            for variant, counts in found.items()
        ),
    )


def _amount(value: float | None, measure: _Measure) -> str:
    return ABSENT if value is None else format_amount(value, measure.unit)


assert not any(STEPS % width for width in _COARSE.values())
