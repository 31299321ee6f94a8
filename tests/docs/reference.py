"""The tables of the reference pages, made from the code that they describe."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind, Metric, Statistic
from pytest_llmbench.units import format_amount, format_percent

_STATISTICS = {
    Statistic.MIDDLE: "middle mean",
    Statistic.LOW_QUANTILE: "10th percentile",
    Statistic.VALUE: "–",
}


def metric_table(metrics: Iterable[Metric]) -> str:
    """One row a metric, as docs/metrics.md has them."""
    head = "| metric | unit | better | kind | gated | compared by | tolerance | floor | noise |"
    lines = [head, "|---" * 9 + "|"]
    lines += [f"| {' | '.join(_cells(metric))} |" for metric in metrics]
    return "\n".join(lines)


def case_table() -> str:
    return metric_table(m for m in CATALOGUE.values() if m.of == "case")


def variant_table() -> str:
    return metric_table(m for m in CATALOGUE.values() if m.of == "variant")


def _cells(metric: Metric) -> tuple[str, ...]:
    shown = metric.kind is not Kind.INFORMATIVE
    return (
        f"`{metric.name}`",
        metric.unit,
        metric.better or "–",
        metric.kind.value,
        "yes" if metric.gated else "no",
        _STATISTICS[metric.statistic],
        format_percent(metric.tolerance) if shown else "–",
        format_amount(metric.floor, metric.unit) if metric.floor else "–",
        format_percent(metric.noise) if metric.noise else "–",
    )


if __name__ == "__main__":
    print(case_table(), variant_table(), sep="\n\n")
