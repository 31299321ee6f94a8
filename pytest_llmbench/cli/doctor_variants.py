"""Whether the variants of a configuration can run: here, under another Python, on another host.

Another interpreter, or one on another host, is asked for the state of the engine there, by a
program that it reads from standard input. Servers that somebody else starts are knocked at.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pytest_llmbench.cli.configuration import Found
from pytest_llmbench.cli.doctor_engines import Answer, EngineState, engine_state, run_python
from pytest_llmbench.config import check_variants
from pytest_llmbench.domain.variant import EngineKeys, Variant
from pytest_llmbench.engines import engine_options, engines
from pytest_llmbench.engines.entry import needs_problem
from pytest_llmbench.errors import LlmbenchError
from pytest_llmbench.worker.interpreter import check_interpreter
from pytest_llmbench.worker.ssh import remote_python, ssh_words

_KNOCK_S: Final = 2.0
_MARK: Final = "llmbench-state "
_ELSEWHERE: Final = """\
from pytest_llmbench.cli.doctor_variants import told_here
print({mark!r} + told_here({engine!r}, {options!r}))
"""
"""A program for another Python with this package: what :func:`told_here` says there."""

_PORTS: Final = {"http": 80, "https": 443}

Knock = Callable[[str], bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """Whether a variant can run, and what there is to say of it."""

    can_run: bool
    words: str


class Told(msgspec.Struct, frozen=True):
    """What another Python says: of the engine there, and of what the variant's keys need."""

    state: EngineState
    needs: str | None


def findings(found: Found, states: dict[str, EngineState]) -> dict[str, Finding]:
    """Return what there is to say of each variant of a configuration."""
    return {name: _finding(found, name, states) for name in found.config.variants}


def variant_problem(variant: Variant, states: dict[str, EngineState]) -> str | None:
    """Return why *variant* can't run under this Python, or ``None``: engine, device, needs."""
    return (
        engine_problem(variant, states[variant.engine])
        or needs_problem(_keys(variant))
        or _serve_problem(variant)
    )


def engine_problem(variant: Variant, state: EngineState) -> str | None:
    """Return what in *state* keeps *variant* from running: the engine, or its device."""
    if state.problem is not None:
        return state.problem
    device = str(variant.options.get("device", "auto"))
    known = {*state.devices, *(there.partition(":")[0] for there in state.devices)}
    if not state.devices or device == "auto" or device in known:
        return None
    return (
        f"device = {device!r} does not work (there are: {', '.join(state.devices)}); "
        'write device = "auto", or install what the device needs'
    )


def told_here(engine: str, options: dict[str, object]) -> str:
    """Return, as JSON, what this Python says of *engine* and of what *options* need."""
    entry = engines().get(engine)
    if entry is None:
        absent = f"the engine {engine!r} is not known there; install the package that brings it"
        told = Told(EngineState(name=engine, problem=absent), None)
    else:
        keys = msgspec.convert(options, entry.options_type())
        told = Told(engine_state(engine, entry), needs_problem(keys))
    return msgspec.json.encode(told).decode()


def server_note(variant: Variant, knock: Knock | None = None) -> str | None:
    """Return whether the server of *variant* answers; ``None`` where it has none of its own.

    One that is started for the measurement is not there yet.
    """
    address = _server(variant)
    if address is None:
        return None
    if (knock or answers)(address):
        return f"its server answers at {address}"
    return f"nothing answers at {address} now: start the server before measuring"


def answers(address: str) -> bool:
    """Whether anything accepts a connection at *address*."""
    parts = urlsplit(address)
    try:
        port = parts.port or _PORTS.get(parts.scheme, 80)
        socket.create_connection((parts.hostname or "", port), timeout=_KNOCK_S).close()
    except (OSError, ValueError):
        return False
    return True


def _finding(found: Found, name: str, states: dict[str, EngineState]) -> Finding:
    variant = found.config.variants[name]
    try:
        check_variants(found.config, [name], engine_options(), shown=found.shown)
        problem = _problem_elsewhere(variant) if _elsewhere(variant) else None
    except LlmbenchError as exc:
        problem = str(exc)
    if problem is None and not _elsewhere(variant):
        problem = variant_problem(variant, states)
    if problem is not None:
        said = problem.removeprefix(f"variant {name!r} can't start: ")
        return Finding(can_run=False, words=f"can't run: {said}")
    parts = [f"can run{_where(variant)}", None if variant.host else server_note(variant)]
    return Finding(can_run=True, words="; ".join(part for part in parts if part))


def _elsewhere(variant: Variant) -> bool:
    return variant.python is not None or variant.host is not None


def _where(variant: Variant) -> str:
    if variant.host is not None:
        return f" on {variant.host}, which was asked"
    return f" under {variant.python}" if variant.python is not None else ""


def _problem_elsewhere(variant: Variant) -> str | None:
    """Return what the variant's own interpreter says against it.

    Raises:
        LlmbenchError: the interpreter, or its host, is no place for a worker.
    """
    check_interpreter(variant)
    program = _ELSEWHERE.format(mark=_MARK, engine=variant.engine, options=variant.options)
    return _told_problem(variant, run_python(program, _command(variant)))


def _command(variant: Variant) -> list[str]:
    if variant.host is None:
        return [str(variant.python), "-P", "-"]
    return ["ssh", *ssh_words(variant.host), f"{remote_python(variant.python)} -P -"]


def _told_problem(variant: Variant, answer: Answer) -> str | None:
    text = answer.marked(_MARK)
    if not answer.worked or text is None:
        return f"{_where(variant).strip()} there was no answer: {answer.last_line}"
    told = msgspec.json.decode(text, type=Told)
    problem = engine_problem(variant, told.state) or told.needs
    return None if problem is None else f"{_where(variant).strip()}: {problem}"


def _keys(variant: Variant) -> EngineKeys:
    return msgspec.convert(variant.options, engine_options()[variant.engine]())


def _serve_problem(variant: Variant) -> str | None:
    """Return whether the program that is to start the variant's server is missing."""
    serve = variant.options.get("serve")
    program = str(serve[0]) if isinstance(serve, list | tuple) and serve else "{python}"
    found = str(variant.base_dir / program) if "/" in program else program
    if program == "{python}" or shutil.which(found) is not None:
        return None
    return f"serve starts {program!r}, which is no program here; install it, or write its path"


def _server(variant: Variant) -> str | None:
    """Return the address of a server that somebody else starts."""
    options = variant.options
    if variant.engine == "ollama":
        from pytest_llmbench.engines.ollama.address import server_address

        told = options.get("base_url")
        return server_address(None if told is None else str(told), os.environ)
    base_url = options.get("base_url")
    return None if not base_url or options.get("serve") else str(base_url)
