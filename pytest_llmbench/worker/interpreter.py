"""Is the interpreter of a variant one that a worker can run in? Asked before it is launched.

The session's own needs no question. Another one, here or on another machine, is asked for its
version and for this package: both sides of a worker have to speak the same messages. Where they
do, their versions may differ.
"""

from __future__ import annotations

import subprocess
from importlib import metadata
from typing import Final

import msgspec

from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.errors import WorkerError
from pytest_llmbench.worker.protocol import protocol
from pytest_llmbench.worker.ssh import remote_python, ssh_words

OLDEST: Final = (3, 11)
"""The oldest Python that this package runs on."""

_ANSWER: Final = "llmbench-interpreter "
_TIMEOUT_S: Final = 120.0
_CONNECTION_FAILED: Final = 255
_COMMAND_NOT_FOUND: Final = (126, 127)

QUESTION: Final = f"""
import json, sys
if sys.path and sys.path[0] == "":
    del sys.path[0]
found = {{"python": list(sys.version_info[:3]), "package": None, "protocol": None}}
if sys.version_info >= {OLDEST}:
    from importlib import metadata, util
    if util.find_spec("pytest_llmbench") is not None:
        try:
            found["package"] = metadata.version("pytest-llmbench")
        except metadata.PackageNotFoundError:
            pass
        try:
            from pytest_llmbench.worker.protocol import protocol
            found["protocol"] = protocol()
        except Exception:
            pass
print({_ANSWER!r} + json.dumps(found))
"""
"""Read from standard input by any Python from 2.6 on."""


class Found(msgspec.Struct, frozen=True):
    """What an interpreter says of itself.

    Attributes:
        python: its version.
        package: the version of this package, where it has it.
        protocol: what identifies the messages of that one; ``None`` where it can't be asked.
    """

    python: tuple[int, int, int]
    package: str | None
    protocol: str | None = None


def check_interpreter(variant: Variant) -> None:
    """Check that *variant*'s interpreter can run a worker that this session understands.

    Raises:
        WorkerError: its host can't be reached, it can't be run, it is no Python, too old, or has
            no version of this package that speaks the same messages; says what to type.
    """
    if variant.python is None and variant.host is None:
        return
    called = _called(variant)
    problem = found_problem(_answer(variant, called), called, own_version())
    if problem is not None:
        raise _cant_start(variant, problem)


def own_version() -> str:
    """Return the version of this package."""
    return metadata.version("pytest-llmbench")


def _called(variant: Variant) -> str:
    """Return what a user types to run the interpreter."""
    if variant.host is None:
        return str(variant.python)
    words = variant.host.removeprefix("ssh=")
    return f"ssh {words} {remote_python(variant.python)}"


def _answer(variant: Variant, called: str) -> Found:
    """Return what the interpreter says of itself; raises as :func:`check_interpreter`."""
    try:
        done = subprocess.run(  # noqa: S603 — the interpreter that the user configured
            _command(variant),
            input=QUESTION,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except OSError as exc:
        raise _cant_start(variant, f"{called} can't be run: {exc.strerror}; correct it") from exc
    except subprocess.TimeoutExpired as exc:
        raise _cant_start(variant, f"{called} gave no answer in {_TIMEOUT_S:g} s") from exc
    found = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    if not found:
        raise _cant_start(variant, _silence(variant, called, done))
    return msgspec.json.decode(found[-1].removeprefix(_ANSWER), type=Found)


def _command(variant: Variant) -> list[str]:
    if variant.host is None:
        assert variant.python is not None, "the session's own interpreter is not asked"
        return [variant.python, "-"]
    return ["ssh", *ssh_words(variant.host), f"{remote_python(variant.python)} -"]


def _silence(variant: Variant, called: str, done: subprocess.CompletedProcess[str]) -> str:
    """Say why no interpreter answered."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    said = f" (it said: {' | '.join(lines[-2:])})" if lines else ""
    if variant.host is not None and done.returncode == _CONNECTION_FAILED:
        host = variant.host.removeprefix("ssh=")
        return (
            f"host = {variant.host!r} can't be reached{said}; correct it until "
            f"`ssh -oBatchMode=yes {host} true` works without a question"
        )
    if variant.host is not None and done.returncode in _COMMAND_NOT_FOUND:
        return (
            f"there is no {remote_python(variant.python)} on {variant.host!r}{said}; name the "
            'interpreter there, such as python = "~/venv/bin/python"'
        )
    return (
        f"{called} is no Python that runs: it exited with status {done.returncode}{said}; "
        "correct python"
    )


def found_problem(found: Found, called: str, version: str) -> str | None:
    """Return what is wrong with an interpreter, and the line to type; *version* is the session's.

    *called* is what a user types to run it.
    """
    if found.python < OLDEST:
        needed, is_ = (".".join(map(str, numbers)) for numbers in (OLDEST, found.python))
        return f"{called} is Python {is_}, but {needed} or newer is needed; name another in python"
    line = f"type: {called} -m pip install pytest-llmbench=={version}"
    if found.package is None:
        return f"pytest-llmbench is not installed for {called}; {line}"
    if not _understood(found, version):
        return (
            f"{called} has pytest-llmbench {found.package} and the session {version}, which do "
            "not understand each other (their messages are "
            f"{found.protocol or 'unknown'} and {protocol()}); {line}"
        )
    return None


def _understood(found: Found, version: str) -> bool:
    """Whether it speaks this session's messages; what can't be asked will say why it can't run."""
    if found.protocol is None:
        return found.package == version
    return found.protocol == protocol()


def _cant_start(variant: Variant, problem: str) -> WorkerError:
    return WorkerError(f"variant {variant.id!r} can't start: {problem}")
