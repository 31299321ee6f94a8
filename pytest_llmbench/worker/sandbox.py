"""Running code that a model wrote, where it can harm nothing but its own answer.

It runs in a process of its own under Python's isolated mode, with the standard library alone, no
environment, no input and no output. The kernel holds it in (:mod:`.sandboxed`): no network, no
other process, nothing written, nothing read but Python's library; so much time and memory. Where
the kernel can't, nothing is run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from pytest_llmbench.domain.code_limits import CodeLimits
from pytest_llmbench.errors import ScoringError

_SCRIPT: Final = Path(__file__).with_name("sandboxed.py")
_ANSWER_BYTES: Final = 2**16
_GRACE_S: Final = 2.0
"""What starting Python and shutting it in may take besides."""


class Ran(NamedTuple):
    """Whether code and test ran to their end, and if not, why: an error's name and words."""

    passed: bool
    why: str | None


def run_code(code: str, test: str, limits: CodeLimits) -> Ran:
    """Run *code*, then *test* with the names that it made.

    Raises:
        ScoringError: this machine can't shut code in, so that none was run.
    """
    asked = {
        "code": code,
        "test": test,
        "time_s": limits.time_s,
        "memory_bytes": limits.memory_bytes,
        "seccomp": _seccomp(),
    }
    began = time.monotonic()
    told = _answer(json.dumps(asked).encode(), limits.time_s + _GRACE_S)
    if not told and time.monotonic() - began >= limits.time_s:
        return Ran(passed=False, why=f"it took longer than {limits.time_s:g} s")
    try:
        answer = json.loads(told)
        shut_in, passed, why = answer["shut_in"], answer.get("passed") is True, answer["why"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return Ran(passed=False, why="it ended without an answer: killed, or out of memory")
    if shut_in is not True:
        raise ScoringError(f"{_CANT}: {why}")
    return Ran(passed=passed, why=None if passed else str(why))


def check_sandbox(limits: CodeLimits) -> None:
    """Return where code can be run here.

    Raises:
        ScoringError: it can't; the message says what is missing.
    """
    ran = run_code("answer = sum(range(10))", "assert answer == 45", limits)
    if not ran.passed:
        raise ScoringError(f"{_CANT}: a program that adds numbers failed: {ran.why}")


_CANT: Final = "this machine can't shut in code that a model wrote, so none is run"


def _seccomp() -> str:
    """Return the folder of the binding of libseccomp."""
    found = importlib.util.find_spec("pyseccomp") if sys.platform == "linux" else None
    if sys.platform != "linux":
        raise ScoringError(f"{_CANT}: that takes Linux 6.2 or later; run the suite there")
    if found is None or found.origin is None:
        raise ScoringError(
            f"{_CANT}: pyseccomp is not installed; type: pip install 'pytest-llmbench[code]'"
        )
    return str(Path(found.origin).parent)


def _answer(asked: bytes, patience_s: float) -> bytes:
    """Return what the other side said, up to a bound; nothing where it took too long."""
    process = subprocess.Popen(  # noqa: S603 — our own script under our own interpreter
        [sys.executable, "-I", "-S", str(_SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with process.stdin as told:
            told.write(asked)
        return _read(process.stdout.fileno(), time.monotonic() + patience_s)
    except BrokenPipeError:  # it ended before it had read all
        return b""
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def _read(fd: int, until: float) -> bytes:
    said = b""
    with selectors.DefaultSelector() as ready:
        ready.register(fd, selectors.EVENT_READ)
        while len(said) < _ANSWER_BYTES:
            if not ready.select(max(0.0, until - time.monotonic())):
                return b""
            piece = os.read(fd, _ANSWER_BYTES)
            if not piece:
                break
            said += piece
    return said
