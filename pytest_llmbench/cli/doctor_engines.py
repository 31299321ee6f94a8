"""Which engines are installed here, in which versions, and on which devices they work.

Libraries are asked in a process of their own: the doctor imports no engine's library, and one that
crashes while it is imported is a finding, not the end of the doctor.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from pytest_llmbench.engines import EngineEntry, Survey, engines
from pytest_llmbench.engines.registry import discovered
from pytest_llmbench.probes.environment import library_versions

ASK_S: Final = 120.0

_MARK: Final = "llmbench-survey "
_SURVEY: Final = """\
import dataclasses, importlib, json
survey = getattr(importlib.import_module({module!r}), {survey!r})
print({mark!r} + json.dumps(dataclasses.asdict(survey())))
"""
"""A program that prints an engine's :class:`.Survey` as JSON, behind a mark."""

RunProgram = Callable[[str], "Answer"]


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What a program printed, and whether it worked; the lines of its error where it did not."""

    worked: bool
    lines: tuple[str, ...]

    @property
    def last_line(self) -> str:
        """What it said at the end."""
        return next((line for line in reversed(self.lines) if line.strip()), "nothing")

    def marked(self, mark: str) -> str | None:
        """Return what stands behind *mark*; libraries print lines of their own around it."""
        found = [line.removeprefix(mark) for line in self.lines if line.startswith(mark)]
        return found[-1] if found else None


class EngineState(msgspec.Struct, frozen=True, kw_only=True):
    """One engine under one Python.

    Attributes:
        name: the engine's.
        versions: of its libraries that are installed.
        optional: of the libraries that some keys need, where they are installed.
        lacking: libraries that some keys need and that are not installed.
        problem: why it can't run, with what to type; ``None`` where it can.
        devices: that work; empty where the engine has no choice of device.
        notes: what else its library says of this machine.
        package: the distribution of another package that brought it, and its version.
    """

    name: str
    versions: dict[str, str] = {}
    optional: dict[str, str] = {}
    lacking: tuple[str, ...] = ()
    problem: str | None = None
    devices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    package: str | None = None


def engine_states(run_program: RunProgram | None = None) -> dict[str, EngineState]:
    """Return the state of every engine, by name; asks all engines' libraries at once."""
    ask = run_program or run_python
    broken = {n: EngineState(name=n, problem=why) for n, why in discovered().problems.items()}
    with ThreadPoolExecutor() as threads:
        asked = threads.map(lambda name: engine_state(name, engines()[name], ask), engines())
        return {**{state.name: state for state in asked}, **broken}


def engine_state(name: str, entry: EngineEntry, ask: RunProgram | None = None) -> EngineState:
    """Return the state of one engine under this Python."""
    optional = library_versions(entry.optional)
    state = EngineState(
        name=name,
        versions=library_versions(entry.libraries),
        optional=optional,
        lacking=tuple(library for library in entry.optional if library not in optional),
        package=discovered().packages.get(name),
    )
    missing = [library for library in entry.libraries if library not in state.versions]
    if missing:
        problem = f"missing: {', '.join(missing)}{entry.to_install()}"
        return msgspec.structs.replace(state, problem=problem)
    return state if entry.survey is None else _surveyed(state, entry, ask or run_python)


def run_python(program: str, command: Sequence[str] = (sys.executable, "-P", "-")) -> Answer:
    """Have *command*, a Python that reads its program, run *program*; return what it printed."""
    try:
        done = subprocess.run(  # noqa: S603 — a Python, and a program of ours
            command,
            input=program,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ASK_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(worked=False, lines=(f"no answer within {ASK_S:g} s",))
    except OSError as exc:
        return Answer(worked=False, lines=(f"{command[0]}: {exc.strerror}",))
    worked = done.returncode == 0
    lines = (done.stdout if worked else done.stderr).splitlines()
    return Answer(worked=worked, lines=tuple(lines) or (f"status {done.returncode}",))


def _surveyed(state: EngineState, entry: EngineEntry, ask: RunProgram) -> EngineState:
    """Return *state* with what the engine's library says of this machine."""
    program = _SURVEY.format(module=entry.module, survey=entry.survey, mark=_MARK)
    answer = ask(program)
    told = answer.marked(_MARK)
    if not answer.worked or told is None:
        problem = f"it is installed, but does not work: {answer.last_line}"
        install = entry.to_install() if "type: " not in problem else ""
        return msgspec.structs.replace(state, problem=f"{problem}{install}")
    survey = msgspec.json.decode(told, type=Survey)
    return msgspec.structs.replace(state, devices=survey.devices, notes=survey.notes)
