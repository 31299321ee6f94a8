"""The interpreter of a variant is asked before a worker is launched in it."""

from __future__ import annotations

import stat
import sys
import venv
from pathlib import Path

import msgspec
import pytest

from pytest_llmbench.errors import WorkerError
from pytest_llmbench.worker.interpreter import (
    Found,
    check_interpreter,
    found_problem,
    own_version,
)
from pytest_llmbench.worker.protocol import protocol
from tests.support import variant

VERSION = own_version()


def check(python: str | Path) -> None:
    check_interpreter(msgspec.structs.replace(variant("v", "scripted"), python=str(python)))


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_session_s_own_is_not_asked() -> None:
    check_interpreter(variant("v", "scripted"))


def test_one_with_this_version_is_right() -> None:
    check(sys.executable)


def test_a_bare_environment_is_told_what_to_type(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=sys.platform != "win32")
    python = tmp_path / "bare" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    line = f"not installed for {python}; type: {python} -m pip install pytest-llmbench=={VERSION}"
    with pytest.raises(WorkerError) as refused:
        check(python)
    assert str(refused.value).endswith(line)


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pytest_llmbench").mkdir()
    (tmp_path / "pytest_llmbench" / "__init__.py").touch()
    folder = tmp_path / "pytest_llmbench-9.9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: pytest-llmbench\nVersion: 9.9\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WorkerError, match=rf"pytest-llmbench 9\.9 and the session {VERSION}"):
        check(sys.executable)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo broken >&2; exit 3", r"is no Python that runs: it exited with status 3 .*broken"),
        ("cat >/dev/null", r"is no Python that runs: it exited with status 0; correct python"),
    ],
)
def test_what_is_no_python_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(WorkerError, match=said):
        check(script(tmp_path / "odd", text))


def test_what_can_t_be_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x")
    with pytest.raises(WorkerError, match="can't be run: Permission denied; correct it"):
        check(tmp_path / "text")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Found((3, 11, 0), VERSION), None),
        (Found((3, 14, 2), VERSION), None),
        (Found((3, 12, 1), "9.9", protocol()), None),
        (Found((3, 12, 1), VERSION, "0123"), f"p has pytest-llmbench {VERSION} and the session"),
        (Found((3, 10, 13), None), "p is Python 3.10.13, but 3.11 or newer is needed"),
        (Found((2, 7, 18), None), "p is Python 2.7.18, but 3.11 or newer is needed"),
        (Found((3, 12, 1), None), "pytest-llmbench is not installed for p; type: p -m pip"),
        (Found((3, 12, 1), "0.0.1"), f"p has pytest-llmbench 0.0.1 and the session {VERSION}"),
    ],
)
def test_what_is_said(found: Found, said: str | None) -> None:
    problem = found_problem(found, "p", VERSION)
    assert problem is None if said is None else str(problem).startswith(said)
