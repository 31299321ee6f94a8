"""The Go benchmark format, which ``benchstat`` reads: a line a round.

A case is ``BenchmarkCase/suite=…/variant=…/prompt=…/parameters=…``, so that ``benchstat -col
/variant`` holds variants against each other. Of the environment only what has to match is given as
configuration: benchstat compares nothing whose configuration differs. Source: the proposal
14313-benchmark-format of the Go project, and the reader of golang.org/x/perf/benchfmt.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.report.exports.headline import headline
from pytest_llmbench.report.results import CaseResult, Results, Value
from pytest_llmbench.report.text import one_line

_UNITS: Final = {
    "s": "sec",
    "B": "B",
    "tok/s": "tok/s",
    "tokens": "tokens",
    "chars": "chars",
    "nats": "nats",
}
_SUFFIX: Final = re.compile(r"_(s|bytes|tps)$")
_NAME: Final = re.compile(r"[^A-Za-z0-9._+@:~,-]")
_PROCESSORS: Final = re.compile(r"-(\d+)\Z")
_KEY: Final = re.compile(r"[^a-z0-9]+")


def render(results: Results) -> str:
    """Return configuration, the units' better direction, and a line a round."""
    return "".join(f"{line}\n" for line in _lines(results))


def unit_of(metric: str, unit: str) -> str:
    """Return a metric as a unit of the format: ``ttft_s`` → ``ttft-sec``.

    What is measured comes first and the unit last, apart by a hyphen.
    """
    base = _UNITS.get(unit)
    return metric if base is None else f"{_SUFFIX.sub('', metric)}-{base}"


def _lines(results: Results) -> Iterator[str]:
    for key, value in results.environment.identity.items():
        yield f"{_KEY.sub('-', key.lower()).strip('-')}: {one_line(value)}"
    for key, value in results.environment.context.items():
        yield f"# {one_line(key)}: {one_line(value)}"
    yield ""
    yield from _directions(results)
    for case in results.cases:
        yield from _rounds(_case_name(case), dict(_series(case.metrics)))
    for name, variant in results.variants.items():
        yield from _rounds(_name("BenchmarkLife", {"variant": name}), _life(variant.life_cycle))


def _directions(results: Results) -> Iterator[str]:
    """Yield which way each unit is better, and which repeat exactly."""
    measured = [case.metrics for case in results.cases]
    measured += [variant.life_cycle for variant in results.variants.values()]
    there = {name: value.unit for metrics in measured for name, value, _ in headline(metrics)}
    for name, metric in CATALOGUE.items():
        if name in there and metric.better is not None:
            exact = " assume=exact" if metric.kind is Kind.EXACT else ""
            yield f"Unit {unit_of(name, there[name])} better={metric.better}{exact}"


def _case_name(case: CaseResult) -> str:
    parts = {
        "suite": case.suite,
        "variant": case.variant,
        "prompt": case.prompt_id,
        "parameters": case.parameters.label,
    }
    return _name("BenchmarkCase", parts)


def _name(kind: str, parts: Mapping[str, str]) -> str:
    """Return a benchmark's name; a number after a last hyphen would be taken for GOMAXPROCS."""
    name = kind + "".join(f"/{key}={_escaped(text)}" for key, text in parts.items())
    return _PROCESSORS.sub(r"%2D\1", name)


def _escaped(text: str) -> str:
    """Return *text* as a part of a name: no white space, no slash, percent-encoded."""

    def encoded(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass"))

    return _NAME.sub(encoded, text)


def _series(metrics: Mapping[str, Value]) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Yield each unit's values, round by round; one value where there are no rounds."""
    for name, measured, value in headline(metrics):
        rounds = measured.rounds or (value,)
        finite = tuple(v for v in rounds if v is not None and math.isfinite(v))
        yield unit_of(name, measured.unit), finite


def _life(metrics: Mapping[str, Value]) -> dict[str, tuple[float, ...]]:
    return {unit_of(name, measured.unit): (value,) for name, measured, value in headline(metrics)}


def _rounds(name: str, series: Mapping[str, tuple[float, ...]]) -> Iterator[str]:
    most = max((len(values) for values in series.values()), default=0)
    for number in range(most):
        there = [(v[number], unit) for unit, v in series.items() if number < len(v)]
        yield f"{name} 1 {' '.join(f'{value!r} {unit}' for value, unit in there)}"
