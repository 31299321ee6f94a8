"""``llmbench doctor``: what is here, what works, what is missing, and what to type."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Final

from pytest_llmbench.cli.configuration import TO_BEGIN, Found, look_for_config
from pytest_llmbench.cli.doctor_engines import EngineState, engine_states, variant_problem
from pytest_llmbench.cli.doctor_quiet import Quiet, read_quiet, waiting
from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.output import heading, say, say_table
from pytest_llmbench.config import check_variants
from pytest_llmbench.domain.record import Environment
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.probes.contention import read_load
from pytest_llmbench.probes.environment import host_environment, library_versions
from pytest_llmbench.probes.machine import machine_label
from pytest_llmbench.probes.nvml import Nvml

_NO_NVML_PACKAGE: Final = (
    "no: nvidia-ml-py is not installed; for an NVIDIA GPU, type: "
    "pip install 'pytest-llmbench[nvidia]'"
)


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
    heading("configuration")
    found = look_for_config(arguments.config)
    if found is None:
        say(f"  none here; {TO_BEGIN}")
        return Exit.FINE
    problems = dict(_problems(found, states))
    _say_variants(found, problems)
    return Exit.NO if any(problems.values()) else Exit.FINE


def _say_machine(environment: Environment) -> None:
    identity, context = environment.identity, environment.context
    say("machine")
    say_table(
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
    say_table((state.name, *_engine_cells(state)) for state in states.values())


def _engine_cells(state: EngineState) -> tuple[str, str]:
    versions = ", ".join(f"{name} {version}" for name, version in state.versions.items())
    if state.problem is not None:
        return "no", f"{state.problem}{f' (installed: {versions})' if versions else ''}"
    devices = f"devices: {', '.join(state.devices)}" if state.devices else ""
    parts = [part for part in (devices, versions, *state.notes) if part]
    return "works", "; ".join(parts) or "built in"


def _say_quiet(quiet: Quiet, nvml: Nvml | None) -> None:
    heading("can other work on this machine be noticed?")
    say_table(
        [
            ("waiting for a processor", _run_delay(quiet)),
            ("time taken by the hypervisor", _steal(quiet)),
            ("clocks of a GPU lowered", _clocks(nvml)),
        ]
    )
    heading("is it quiet now?")
    load = read_load()
    say_table(
        [
            ("load average of a minute", "unknown" if load is None else f"{load:g}"),
            ("one thread waited", waiting(quiet.one)),
            (f"{quiet.threads} at once waited", f"{waiting(quiet.every)} (added up)"),
            ("result", quiet.disturbed or "quiet"),
        ]
    )
    say(f"  {quiet.advice}")


def _run_delay(quiet: Quiet) -> str:
    if quiet.every.run_delay_s is not None:
        return "yes: rounds that waited are left out, and a slower case beside them is inconclusive"
    return (
        "no (there is no /proc/PID/schedstat): a busy neighbour looks like a slower model, so "
        "measure on a machine that does nothing else"
    )


def _steal(quiet: Quiet) -> str:
    if quiet.every.steal_s is not None:
        return "yes, where the hypervisor tells"
    return "no (there is no /proc/stat): another guest of the same host looks like a slower model"


def _clocks(nvml: Nvml | None) -> str:
    if nvml is not None and nvml.gpus():
        return "yes: rounds in which heat lowered the clocks are left out"
    if not library_versions(["nvidia-ml-py"]):
        return _NO_NVML_PACKAGE
    return "no: there is no NVIDIA GPU, or no driver for it"


def _problems(found: Found, states: dict[str, EngineState]) -> Iterator[tuple[str, str | None]]:
    """Yield each variant and why it can't run here, ``None`` where it can."""
    for name, variant in found.config.variants.items():
        try:
            check_variants(found.config, [name], engine_options(), shown=found.shown)
        except ConfigError as exc:
            yield name, str(exc)
        else:
            yield name, variant_problem(variant, states)


def _say_variants(found: Found, problems: dict[str, str | None]) -> None:
    say(f"  {found.shown}")
    say_table(
        ((name, f"can't run: {why}" if why else "can run") for name, why in problems.items()),
        indent="    ",
    )
