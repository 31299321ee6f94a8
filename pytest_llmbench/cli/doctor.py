"""``llmbench doctor``: what is here, what works, what is missing, and what to type."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Final

from pytest_llmbench.cli.configuration import TO_BEGIN, look_for_config
from pytest_llmbench.cli.doctor_answers import answer_rows
from pytest_llmbench.cli.doctor_engines import EngineState, engine_states
from pytest_llmbench.cli.doctor_pace import MEANING, TO_DO
from pytest_llmbench.cli.doctor_quiet import Quiet, read_quiet, waiting
from pytest_llmbench.cli.doctor_variants import findings
from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.output import NO_BREAK, heading, say, say_wrapped
from pytest_llmbench.domain.record import Environment
from pytest_llmbench.engines.registry import discovered
from pytest_llmbench.probes.contention import read_load
from pytest_llmbench.probes.environment import host_environment, library_versions
from pytest_llmbench.probes.machine import machine_label
from pytest_llmbench.probes.nvml import Nvml

_NO_NVML_PACKAGE: Final = (
    "no: nvidia-ml-py is not installed; for an NVIDIA GPU, type: "
    "pip install 'pytest-llmbench[nvidia]'"
)
_PACED: Final = "yes: a fixed piece of work is timed before and after every round"


def run(arguments: argparse.Namespace) -> Exit:
    """Examine this machine; 1 where a variant of the configuration can't run here.

    Raises:
        ConfigError: the configuration is wrong; everything else has been said by then.
    """
    nvml = Nvml.open()
    environment = host_environment(nvml=nvml, folder=None)
    _say_machine(environment)
    states = engine_states()
    _say_engines(states)
    usable = float(environment.identity["logical_processors"])
    _say_quiet(read_quiet(max(1, int(usable)), os.cpu_count() or 1), nvml)
    heading("answers")
    say_wrapped(answer_rows())
    heading("configuration")
    found = look_for_config(arguments.config)
    if found is None:
        say(f"  none here; {TO_BEGIN}")
        return Exit.FINE
    told = findings(found, states)
    say(f"  {found.shown}")
    say_wrapped(((name, finding.words) for name, finding in told.items()), indent="    ")
    return Exit.FINE if all(finding.can_run for finding in told.values()) else Exit.NO


def _say_machine(environment: Environment) -> None:
    identity, context = environment.identity, environment.context
    say("machine")
    say_wrapped(
        [
            ("label", machine_label(identity)),
            ("python", context["python"]),
            ("system", f"{identity['os']}, kernel {context['kernel']}"),
            ("processor", f"{identity['processor']}, {identity['architecture']}"),
            ("instructions", identity["instruction_set"]),
            ("usable", _processors(identity)),
            ("memory", identity["memory"]),
            ("GPUs", _gpus(environment)),
        ]
    )


def _processors(identity: dict[str, str]) -> str:
    cores = identity["physical_cores"]
    return f"{identity['logical_processors']} logical processors ({cores} physical cores)"


def _gpus(environment: Environment) -> str:
    context = environment.context
    driver = f", driver {context['gpu_driver']}" if "gpu_driver" in context else ""
    cuda = f", CUDA up to {context['cuda_driver']}" if "cuda_driver" in context else ""
    return f"{environment.identity['gpus']}{driver}{cuda}"


def _say_engines(states: dict[str, EngineState]) -> None:
    heading("engines")
    say_wrapped(row for state in states.values() for row in _engine_rows(state))
    if discovered().ignored:
        say_wrapped(("ignored", problem) for problem in discovered().ignored.values())


def _engine_rows(state: EngineState) -> Iterator[tuple[str, ...]]:
    """Yield an engine's rows: the first says whether it works, the others have no name."""
    yield (state.name, "works") if state.problem is None else (state.name, "no", state.problem)
    for what, text in (
        ("from", state.package or ""),
        ("devices", ", ".join(state.devices)),
        ("libraries", _versions(state.versions)),
        ("optional", _versions(state.optional)),
        ("missing", _lacking(state)),
    ):
        if text:
            yield "", what, text
    for number, note in enumerate(state.notes):
        yield "", "" if number else "notes", note


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name}{NO_BREAK}{version}" for name, version in versions.items())


def _lacking(state: EngineState) -> str:
    if not state.lacking or state.problem is not None:
        return ""
    names, line = ", ".join(state.lacking), NO_BREAK.join(state.lacking)
    return f"{names}, for some keys; type: pip{NO_BREAK}install{NO_BREAK}{line}"


def _say_quiet(quiet: Quiet, nvml: Nvml | None) -> None:
    heading("can other work on this machine be noticed?")
    say_wrapped(
        [
            ("waiting for a processor", _run_delay(quiet)),
            ("time taken by the hypervisor", _steal(quiet)),
            ("a core that is shared", _PACED),
            ("clocks of a GPU lowered", _clocks(nvml)),
        ]
    )
    heading("is it quiet now?")
    load = read_load()
    say_wrapped(
        [
            ("load average of a minute", "unknown" if load is None else f"{load:g}"),
            ("one thread waited", waiting(quiet.one)),
            (f"{quiet.threads} at once waited", f"{waiting(quiet.every)} (added up)"),
            ("result", quiet.disturbed or "quiet"),
            ("pace of the processors", quiet.paces.words),
        ]
    )
    say_wrapped([(quiet.advice,)])
    if not quiet.paces.steady:
        say_wrapped([(MEANING,), (TO_DO,)])


def _run_delay(quiet: Quiet) -> str:
    if quiet.every.run_delay_s is not None:
        return "yes: rounds that waited are repeated; a case slow in too many is inconclusive"
    return (
        "no (there is no /proc/PID/schedstat): a busy neighbour looks like a slower model, so "
        "measure on a machine that does nothing else"
    )


def _steal(quiet: Quiet) -> str:
    if quiet.every.steal_s is not None:
        return "yes, where the hypervisor tells"
    return "no (there is no /proc/stat); what it costs shows in the pace alone"


def _clocks(nvml: Nvml | None) -> str:
    if nvml is not None and nvml.gpus():
        return "yes: rounds in which heat lowered the clocks are repeated"
    if not library_versions(["nvidia-ml-py"]):
        return _NO_NVML_PACKAGE
    return "no: there is no NVIDIA GPU, or no driver for it"
