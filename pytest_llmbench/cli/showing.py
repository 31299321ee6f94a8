"""``llmbench show``: one variant, suite, metric or baseline, and the example configuration."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Final, TypeVar

from pytest_llmbench.cli.configuration import config_path, look_for_config, need_config
from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.history import show_history
from pytest_llmbench.cli.listing import prompt_source, sweep, task_counts, what_was_set
from pytest_llmbench.cli.output import say, say_table
from pytest_llmbench.cli.show_baseline import show_baseline
from pytest_llmbench.config import check_variants
from pytest_llmbench.config.load import builtin_suite
from pytest_llmbench.config.place import Place, unknown
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.metric import Kind, Metric
from pytest_llmbench.domain.suite import Prompt, Suite
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.units import format_amount, format_percent
from pytest_llmbench.verdict.words import plural

T = TypeVar("T")


def run(arguments: argparse.Namespace) -> Exit:
    """Show what was asked for."""
    if arguments.history is not None:
        if arguments.subject is not None:
            raise ConfigError(
                f"llmbench show: --history and {arguments.subject} are two questions; ask one"
            )
        show_history(arguments)
    elif arguments.html is not None or arguments.of:
        raise ConfigError("llmbench show: --html and --of are of a history; add --history=METRIC")
    elif getattr(arguments, "example", False):
        sys.stdout.write(example_config())
    elif arguments.subject is None:
        raise ConfigError(
            f"llmbench show: show what? Type one of {', '.join(_SUBJECTS)} after it, or "
            "--history=METRIC, or --example"
        )
    else:
        _SUBJECTS[arguments.subject](arguments)
    return Exit.FINE


def example_config() -> str:
    """Return a complete small llmbench.toml."""
    return resources.files(__package__).joinpath("example.toml").read_text("utf-8")


def _show_config(arguments: argparse.Namespace) -> None:
    path = config_path(arguments.config)
    need_config(path, "llmbench show config prints the configuration")
    assert path is not None, "a needed configuration has a file"
    sys.stdout.write(path.read_text(encoding="utf-8"))


def _show_variant(arguments: argparse.Namespace) -> None:
    found = need_config(arguments.config, "a variant is described by a configuration")
    variant = _named(arguments.name, "variant", found.config.variants, found.shown)
    reference = " (reference)" if variant.id == found.config.reference else ""
    say(f"variant {variant.id}{reference}")
    say_table(
        [
            ("engine", variant.engine),
            *((key, str(value)) for key, value in what_was_set(variant).items()),
            ("load_timeout_s", f"{variant.load_timeout_s:g}"),
            ("round_timeout_s", f"{variant.round_timeout_s:g}"),
            *_gate_rows(found.config.gates.narrowed(variant.gates)),
        ]
    )
    check_variants(found.config, [variant.id], engine_options(), shown=found.shown)


def _show_suite(arguments: argparse.Namespace) -> None:
    found = look_for_config(arguments.config)
    configured = found.config.suites if found else {}
    suite = configured.get(arguments.name) or builtin_suite(
        arguments.name, Place(found.shown if found else "llmbench show suite")
    )
    say(
        f"suite {suite.name}: {plural(len(suite.prompts), 'prompt')} ({task_counts(suite.prompts)})"
    )
    say_table(_suite_rows(suite))
    for prompt in suite.prompts:
        _say_prompt(prompt)


def _suite_rows(suite: Suite) -> list[tuple[str, str]]:
    return [
        ("source", prompt_source(suite)),
        ("variants", ", ".join(suite.variants)),
        ("sweep", sweep(suite)),
        ("length", suite.length),
        *_gate_rows(suite.gates),
    ]


def _say_prompt(prompt: Prompt) -> None:
    say()
    say(f"{prompt.id}{f' [{prompt.task}]' if prompt.task else ''}")
    alone = len(prompt.messages) == 1
    for message in prompt.messages:
        who = "" if alone else f"{message.role}: "
        for line in f"{who}{message.content}".strip().splitlines():
            say(f"  {line}")
    if prompt.score is not None:
        expected = (
            "" if prompt.expect is None else f" {json.dumps(prompt.expect, ensure_ascii=False)}"
        )
        say(f"  expected: {prompt.score}{expected}")


def _show_metric(arguments: argparse.Namespace) -> None:
    metric = _named(arguments.name, "metric", CATALOGUE, "llmbench show metric")
    say(f"{metric.name}: {metric.summary}")
    say_table(
        [
            ("unit", metric.unit),
            ("better", metric.better or "neither"),
            ("kind", _KINDS[metric.kind]),
            ("of", f"a {metric.of}"),
            ("gated", _gated(metric)),
            ("tolerance", _tolerance(metric)),
            ("floor", _floor(metric)),
        ]
    )


def _show_metrics(_arguments: argparse.Namespace) -> None:
    say_table(
        [
            ("metric", "unit", "better", "kind", "gated", "tolerance", "floor", "definition"),
            *(
                (
                    m.name,
                    m.unit,
                    m.better or "neither",
                    m.kind.value,
                    "yes" if m.gated else "no",
                    _tolerance(m),
                    _floor(m),
                    m.summary,
                )
                for m in CATALOGUE.values()
            ),
        ],
        indent="",
    )


def _gated(metric: Metric) -> str:
    if metric.kind is Kind.INFORMATIVE:
        return "never; it belongs to the machine, not to the variant"
    if metric.gated:
        return "yes: compared with the baseline"
    return f"no; to compare it, write a tolerance: {metric.name} = …"


def _tolerance(metric: Metric) -> str:
    return "-" if metric.kind is Kind.INFORMATIVE else format_percent(metric.tolerance)


def _floor(metric: Metric) -> str:
    return format_amount(metric.floor, metric.unit) if metric.floor else "-"


def _gate_rows(gates: Gates) -> list[tuple[str, str]]:
    limits = [
        ("limit", f"{name} {limit.operator} {format_amount(limit.bound, CATALOGUE[name].unit)}")
        for name, limit in gates.limits.items()
    ]
    return limits + [
        ("tolerance", f"{name} {_accepted(tolerance.share, tolerance.amount, CATALOGUE[name])}")
        for name, tolerance in gates.tolerances.items()
    ]


def _accepted(share: float | None, amount: float | None, metric: Metric) -> str:
    return format_percent(share) if share is not None else format_amount(amount or 0.0, metric.unit)


def _named(name: str, what: str, known: Mapping[str, T], origin: str) -> T:
    if name not in known:
        raise ConfigError(f"{origin}: {unknown(name, what, known)}")
    return known[name]


_KINDS: Final = {
    Kind.NOISY: "noisy: differs from round to round, judged with an interval",
    Kind.NEAR_EXACT: "near-exact: repeats but for the allocator, judged by tolerance and floor",
    Kind.EXACT: "exact: repeats, so any change for the worse beyond its tolerance is a regression",
    Kind.INFORMATIVE: "informative: shown, never judged",
}

_SUBJECTS: Final[dict[str, Callable[[argparse.Namespace], None]]] = {
    "variant": _show_variant,
    "suite": _show_suite,
    "baseline": show_baseline,
    "metric": _show_metric,
    "metrics": _show_metrics,
    "config": _show_config,
}
