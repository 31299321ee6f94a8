"""pytest-benchmark's JSON: what its ``--benchmark-json`` writes, of the times of cases.

It knows nothing but times, so that each of a case's times is a benchmark of its own, and the group
is the metric: ``pytest-benchmark compare`` makes a table of each. Other metrics are in
``extra_info``. Read in the sources of pytest-benchmark 5.3.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from pytest_llmbench.metrics.described import Described, described
from pytest_llmbench.report.exports.headline import headline
from pytest_llmbench.report.exports.kinds import kind_of
from pytest_llmbench.report.results import CaseResult, Results, VariantResult
from pytest_llmbench.report.text import one_line

FORMAT: Final = "5.3.1"
"""The version of pytest-benchmark whose format this is."""

CASE_TIMES: Final = ("ttft_s", "itl_s", "icl_s", "latency_s")
"""The times of a case that are benchmarks."""

LIFE_TIMES: Final = ("load_s",)
"""Those of a variant's life, one round each."""


def _now() -> datetime:
    return datetime.now(UTC)


def render(results: Results, *, clock: Callable[[], datetime] = _now) -> str:
    """Return the document; *clock* gives the time where the results do not say theirs."""
    told = results.invocation
    document = {
        "machine_info": _machine(results),
        "commit_info": {"id": results.environment.context.get("git_commit", "unversioned")},
        "benchmarks": list(_benchmarks(results)),
        "datetime": clock().isoformat() if told is None else told.ended_at,
        "version": FORMAT,
    }
    return json.dumps(document, indent=4) + "\n"


def _machine(results: Results) -> dict[str, object]:
    identity, context = results.environment.identity, results.environment.context
    implementation, _, version = context.get("python", "").partition(" ")
    return {
        "processor": identity.get("processor", ""),
        "machine": identity.get("architecture", ""),
        "system": identity.get("os", ""),
        "release": context.get("kernel", ""),
        "python_implementation": implementation,
        "python_version": version,
        "cpu": {"brand_raw": identity.get("processor", "")},
        "identity": identity,
        "context": context,
    }


def _benchmarks(results: Results) -> Iterator[dict[str, object]]:
    for case in results.cases:
        for metric in CASE_TIMES:
            measured = case.metrics.get(metric)
            spread = None if measured is None else described(measured.rounds)
            if spread is not None:
                yield _of_case(case, metric, spread)
    for name, variant in results.variants.items():
        for metric in LIFE_TIMES:
            spread = described([variant.value(metric)])
            if spread is not None:
                yield _of_life(name, variant, metric, spread)


def _of_case(case: CaseResult, metric: str, spread: Described) -> dict[str, object]:
    params = {
        "variant": case.variant,
        "suite": case.suite,
        "prompt": case.prompt_id,
        "max_new_tokens": case.parameters.max_new_tokens,
        "temperature": case.parameters.temperature,
        "seed": case.parameters.seed,
    }
    extra = {name: value for name, _, value in headline(case.metrics) if name not in CASE_TIMES}
    kind = kind_of(case)
    verdict = {} if kind is None else {"verdict": kind.value}
    name = case.id.removeprefix(f"{case.suite}/")
    return _benchmark(name, case.id, metric, params, {**extra, **verdict}, spread)


def _of_life(
    name: str, variant: VariantResult, metric: str, spread: Described
) -> dict[str, object]:
    params: dict[str, object] = dict.fromkeys(
        ("suite", "prompt", "max_new_tokens", "temperature", "seed")
    )
    extra = {k: value for k, _, value in headline(variant.life_cycle) if k not in LIFE_TIMES}
    return _benchmark(name, name, metric, {"variant": name, **params}, extra, spread)


def _benchmark(
    name: str,
    fullname: str,
    metric: str,
    params: Mapping[str, object],
    extra: Mapping[str, object],
    spread: Described,
) -> dict[str, object]:
    shown = {key: one_line(v) if isinstance(v, str) else v for key, v in params.items()}
    return {
        "group": metric,
        "name": f"{one_line(name)}[{metric}]",
        "fullname": f"{one_line(fullname)}[{metric}]",
        "params": shown,
        "param": shown["variant"],
        "extra_info": extra,
        "options": {"timer": "perf_counter", "warmup": False},
        "stats": _stats(spread),
    }


def _stats(spread: Described) -> dict[str, object]:
    rounds, total = len(spread.values), spread.total
    return {
        "min": spread.lowest,
        "max": spread.highest,
        "mean": spread.mean,
        "stddev": spread.deviation or 0.0,
        "rounds": rounds,
        "median": spread.median,
        "iqr": spread.between_quartiles,
        "q1": spread.q1,
        "q3": spread.q3,
        "iqr_outliers": spread.far_from_quartiles,
        "stddev_outliers": spread.far_from_mean,
        "outliers": f"{spread.far_from_mean};{spread.far_from_quartiles}",
        "ld15iqr": spread.lowest_near,
        "hd15iqr": spread.highest_near,
        "ops": rounds / total if total else 0,
        "total": total,
        "data": list(spread.values),
        "iterations": 1,
    }
