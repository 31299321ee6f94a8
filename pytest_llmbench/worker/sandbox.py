"""Running code that a model wrote, where it can harm nothing but its own answer.

It runs in a process of its own, with the standard library alone, no environment, no input and no
output, and the same hash seed every time. The kernel holds it in (:mod:`.sandboxed`): no network,
no other process or thread, nothing written, nothing read but what Python itself reads; so much time
and memory. Where the kernel can't, nothing is run. An answer that sets out to deceive can still say
of itself that it passed: what is shut out is harm.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from pytest_llmbench.domain.code_limits import CodeLimits
from pytest_llmbench.errors import ScoringError

_SCRIPT: Final = Path(__file__).with_name("sandboxed.py")
_ANSWER_BYTES: Final = 2**16
_START_S: Final = 30.0
"""What starting Python and shutting it in may take."""

_END_S: Final = 1.0

CLOCK: Final = 3.0
"""So many times the seconds of the processor may pass on the clock: other work has its share."""


class Ran(NamedTuple):
    """Whether code and test ran to their end, and if not, why: an error's name and words."""

    passed: bool
    why: str | None


def run_code(code: str, test: str, limits: CodeLimits) -> Ran:
    """Run *code*, then *test* with the names that it made.

    Raises:
        ScoringError: this machine can't shut code in, so that none was run.
    """
    word = secrets.token_hex(16)
    asked = {
        "code": code,
        "test": test,
        "time_s": limits.time_s,
        "memory_bytes": limits.memory_bytes,
        "seccomp": _seccomp(),
        "word": word,
    }
    first, later, ending = _answers(json.dumps(asked).encode(), CLOCK * limits.time_s)
    ready = _read_object(first)
    if ready.get("shut_in") is not True:
        raise ScoringError(f"{_CANT}: {ready.get('why', 'Python did not start')}")
    if later is None or ending == -signal.SIGXCPU:
        return Ran(passed=False, why=f"it took longer than {limits.time_s:g} s")
    told = _read_object(later)
    if told.get("word") != word:
        return Ran(passed=False, why="it ended without an answer: killed, or out of memory")
    passed = told.get("passed") is True
    return Ran(passed=passed, why=None if passed else str(told.get("why")))


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


def _read_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object in *line*; an empty one where it is none."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _answers(asked: bytes, patience_s: float) -> tuple[bytes, bytes | None, int]:
    """Return the two lines of the other side, before that code ran and after, and its exit status.

    The second is ``None`` where it did not come within *patience_s* seconds of the first.
    """
    process = subprocess.Popen(  # noqa: S603 — our own script under our own interpreter
        [sys.executable, "-s", "-S", "-P", str(_SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONHASHSEED": "0"},
        cwd="/",
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    first: bytes = b""
    later: bytes | None = b""
    try:
        with process.stdin as told:
            told.write(asked)
        lines = _Lines(process.stdout.fileno())
        first = lines.next(_START_S) or b""
        later = lines.next(patience_s) if first else b""
        if later == b"":
            process.wait(_END_S)
    except (BrokenPipeError, subprocess.TimeoutExpired):  # it ended, or closed its end of the pipe
        pass
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    return first, later, process.returncode


class _Lines:
    """What comes out of *fd*, line by line, and no more than :data:`_ANSWER_BYTES`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._read = 0
        self._said = b""

    def next(self, patience_s: float) -> bytes | None:
        """Return the next line, or what there was before the end; ``None`` if it takes too long."""
        until = time.monotonic() + patience_s
        with selectors.DefaultSelector() as ready:
            ready.register(self._fd, selectors.EVENT_READ)
            while b"\n" not in self._said and self._read < _ANSWER_BYTES:
                if not ready.select(max(0.0, until - time.monotonic())):
                    return None
                piece = os.read(self._fd, _ANSWER_BYTES)
                if not piece:
                    break
                self._read += len(piece)
                self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        return line
