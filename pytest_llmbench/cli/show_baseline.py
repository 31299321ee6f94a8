"""``llmbench show baseline``: what a baseline keeps, and where it was measured."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli.configuration import as_typed, baselines_folder, look_for_config
from pytest_llmbench.cli.output import heading, say, say_table
from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.engines import engines
from pytest_llmbench.errors import BaselineError
from pytest_llmbench.units import format_amount
from pytest_llmbench.verdict.words import plural

_Series = Sequence[tuple[str, Mapping[str, float]]]
"""When, and the metrics of one case or variant then, oldest first."""


def show_baseline(arguments: argparse.Namespace) -> None:
    """Print one baseline: its sessions, then every gated metric over them.

    Raises:
        BaselineError: there is none of that name on that machine; says which there are.
    """
    found = look_for_config(arguments.config)
    store = Store(baselines_folder(arguments.baselines, found))
    machine = arguments.machine or this_machine()
    baseline = store.read(machine, arguments.name)
    if baseline is None or not baseline.sessions:
        raise BaselineError(absent_baseline(store, machine, arguments.name))
    kept = plural(len(baseline.sessions), "session")
    say(f"baseline {baseline.name} of machine {machine}: {kept}")
    heading("sessions")
    say_table(
        (str(number), session.saved_at, _versions(session))
        for number, session in enumerate(baseline.sessions, start=1)
    )
    heading("cases")
    _say_metrics(_cases(baseline))
    heading("variants")
    _say_metrics(_variants(baseline))


def _say_metrics(series: Mapping[str, _Series]) -> None:
    rows = [row for name, each in series.items() for row in _rows(name, each)]
    say_table([("", "metric", "newest", "median", "sessions", "saved at"), *rows])


def _rows(name: str, series: _Series) -> Iterator[tuple[str, ...]]:
    """Yield a row for each gated metric, in the catalogue's order; the name stands once."""
    for metric in CATALOGUE.values():
        values = [(when, m[metric.name]) for when, m in series if metric.name in m]
        if not metric.gated or not values:
            continue
        when, newest = values[-1]
        middle = median(value for _, value in values)
        yield (
            name,
            metric.name,
            format_amount(newest, metric.unit),
            format_amount(middle, metric.unit),
            str(len(values)),
            when,
        )
        name = ""


def _cases(baseline: Baseline) -> dict[str, _Series]:
    names = dict.fromkeys(key for session in baseline.sessions for key in session.cases)
    return {
        name: [(s.saved_at, s.cases[name].metrics) for s in baseline.sessions if name in s.cases]
        for name in names
    }


def _variants(baseline: Baseline) -> dict[str, _Series]:
    names = dict.fromkeys(name for session in baseline.sessions for name in session.variants)
    return {
        name: [
            (s.saved_at, s.variants[name].metrics) for s in baseline.sessions if name in s.variants
        ]
        for name in names
    }


def _versions(session: BaselineSession) -> str:
    """Return the versions of Python, this package and the engines' libraries."""
    context = session.environment.context
    libraries = {name for entry in engines().values() for name in entry.recorded}
    versions = {
        name: version
        for variant in session.variants.values()
        for name, version in variant.settings.items()
        if name in libraries
    }
    ours = [context["python"]] if "python" in context else []
    if "pytest-llmbench" in context:
        versions["pytest-llmbench"] = context["pytest-llmbench"]
    return ", ".join([*ours, *(f"{name} {version}" for name, version in sorted(versions.items()))])


def this_machine() -> str:
    """Return this machine's label among the baselines."""
    from pytest_llmbench.probes.environment import host_environment
    from pytest_llmbench.probes.machine import machine_label
    from pytest_llmbench.probes.nvml import Nvml

    return machine_label(host_environment(nvml=Nvml.open(), folder=None).identity)


def absent_baseline(store: Store, machine: str, name: str) -> str:
    """Return that there is no such baseline, and which there are."""
    there = [f"{m}/{n}" for m in store.machines() for n in store.names(m)]
    if not there:
        return (
            f"there is no baseline in {as_typed(store.root)}; save one with "
            "pytest --llmbench --llmbench-save, or name another folder with --baselines=DIR"
        )
    return (
        f"there is no baseline {name!r} of machine {machine} in {as_typed(store.root)} (there "
        f"are: {', '.join(there)}); name one, and its machine with --machine=LABEL"
    )
