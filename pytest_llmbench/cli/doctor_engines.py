"""Which engines are installed here and on which devices they work.

Devices are asked of a process of their own: the doctor imports no engine's library, and one that
crashes while it is imported is a finding, not the end of the doctor.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Final

from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines.registry import ENGINES, Entry
from pytest_llmbench.probes.environment import library_versions

_ASK_S: Final = 120.0

_TRANSFORMERS: Final = """\
import json, torch, transformers
devices = ["cpu"]
if torch.cuda.is_available():
    devices += ["cuda"] + [f"cuda:{number}" for number in range(torch.cuda.device_count())]
if torch.backends.mps.is_available():
    devices.append("mps")
print(json.dumps(devices))
"""

_DEVICE_PROGRAMS: Final = {"transformers": _TRANSFORMERS}
"""For each engine that can be asked, a program whose last line is a JSON list of devices."""

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
    """

    name: str
    versions: dict[str, str]
    problem: str | None
    devices: tuple[str, ...]


def engine_states(run_program: RunProgram | None = None) -> dict[str, EngineState]:
    """Return the state of every engine, by name; asks each engine's libraries in turn."""
    ask = run_program or run_python
    return {name: _state(name, entry, ask) for name, entry in ENGINES.items()}


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


def _state(name: str, entry: Entry, ask: RunProgram) -> EngineState:
    versions = library_versions(entry.libraries)
    program = _DEVICE_PROGRAMS.get(name)
    missing = [library for library in entry.libraries if library not in versions]
    if missing:
        return EngineState(name, versions, _missing(missing, entry), ())
    if program is None:
        return EngineState(name, versions, None, ())
    answer = ask(program)
    if not answer.worked:
        problem = f"it is installed but can't be imported: {answer.last_line}{_again(entry)}"
        return EngineState(name, versions, problem, ())
    return EngineState(name, versions, None, tuple(json.loads(answer.last_line)))


def _missing(libraries: list[str], entry: Entry) -> str:
    return f"missing: {', '.join(libraries)}{_again(entry)}"


def _again(entry: Entry) -> str:
    return f"; type: pip install 'pytest-llmbench[{entry.extra}]'" if entry.extra else ""
