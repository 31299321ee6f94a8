"""Which engines are installed here and on which devices they work.

Devices are asked of a process of their own: the doctor imports no engine's library, and one that
crashes while it is imported is a finding, not the end of the doctor.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import EngineEntry, Survey, engines
from pytest_llmbench.probes.environment import library_versions

_ASK_S: Final = 120.0

_SURVEY: Final = """\
import dataclasses, importlib, json
survey = getattr(importlib.import_module({module!r}), {survey!r})
print(json.dumps(dataclasses.asdict(survey())))
"""
"""A program whose last line is an engine's :class:`.Survey` as JSON."""

RunProgram = Callable[[str], "Answer"]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a program said: its output's last line, or the last line of its error."""

    worked: bool
    last_line: str


@dataclasses.dataclass(frozen=True, slots=True)
class EngineState:
    """One engine here.

    Attributes:
        name: the engine's.
        versions: of its libraries that are installed.
        problem: why it can't run, with what to type; ``None`` where it can.
        devices: that work; empty where the engine has no choice of device.
        notes: what else its library says of this machine.
    """

    name: str
    versions: dict[str, str]
    problem: str | None
    devices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def engine_states(run_program: RunProgram | None = None) -> dict[str, EngineState]:
    """Return the state of every engine, by name; asks each engine's libraries in turn."""
    ask = run_program or run_python
    return {name: _state(name, entry, ask) for name, entry in engines().items()}


def variant_problem(variant: Variant, states: dict[str, EngineState]) -> str | None:
    """Return why *variant* can't run here, or ``None``: its engine and its device."""
    state = states[variant.engine]
    if state.problem is not None:
        return state.problem
    device = variant.options.get("device", "auto")
    if not state.devices or device == "auto" or device in state.devices:
        return None
    return (
        f"device = {str(device)!r} does not work here (there are: {', '.join(state.devices)}); "
        'write device = "auto", or install what the device needs'
    )


def run_python(program: str) -> Answer:
    """Run *program* under this Python; says what it printed last."""
    try:
        done = subprocess.run(  # noqa: S603 — this Python, a program of this file, no shell
            [sys.executable, "-P", "-c", program],
            capture_output=True,
            text=True,
            timeout=_ASK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(worked=False, last_line=f"no answer within {_ASK_S:g} s")
    worked = done.returncode == 0
    lines = (done.stdout if worked else done.stderr).strip().splitlines()
    return Answer(worked=worked, last_line=lines[-1] if lines else f"status {done.returncode}")


def _state(name: str, entry: EngineEntry, ask: RunProgram) -> EngineState:
    versions = library_versions((*entry.libraries, *entry.optional))
    missing = [library for library in entry.libraries if library not in versions]
    if missing:
        return EngineState(name, versions, f"missing: {', '.join(missing)}{_again(entry)}")
    if entry.survey is None:
        return EngineState(name, versions, None)
    answer = ask(_SURVEY.format(module=entry.module, survey=entry.survey))
    if not answer.worked:
        problem = f"it is installed but can't be imported: {answer.last_line}{_again(entry)}"
        return EngineState(name, versions, problem)
    survey = msgspec.json.decode(answer.last_line, type=Survey)
    return EngineState(name, versions, None, survey.devices, survey.notes)


def _again(entry: EngineEntry) -> str:
    return f"; type: {entry.install}" if entry.install else ""
