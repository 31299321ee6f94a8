"""What a person sees while a model is loaded and measured, and what CI does not."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from contextlib import nullcontext

import pytest

from pytest_llmbench.plugin.progress import TerminalLine
from tests.plugin.conftest import Project


class Writer:
    fullwidth = 40
    width_of_current_line = 10

    def __init__(self) -> None:
        self._file = io.StringIO()


def test_text_stands_behind_pytest_s_own_and_goes_again() -> None:
    writer = Writer()
    line = TerminalLine(writer, nullcontext)
    line.say("loading")
    line.say("a text that is much too long for the rest of this line")
    line.clear()
    line.clear()
    assert writer._file.getvalue() == (
        "\x1b7  loading\x1b8\x1b[K\x1b7  a text that is much too lon\x1b8\x1b[K"
    )


def test_without_room_nothing_is_shown() -> None:
    writer = Writer()
    writer.width_of_current_line = 30
    TerminalLine(writer, nullcontext).say("loading")
    assert writer._file.getvalue() == ""


def run_on_a_terminal(project: Project, **environment: str) -> str:
    main, child = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "BUILD_NUMBER")}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--llmbench", "-p", "no:cacheprovider"],
        cwd=project.root,
        stdin=child,
        stdout=child,
        stderr=child,
        env={**env, "TERM": "xterm", "COLUMNS": "120", **environment},
    )
    os.close(child)
    seen = b""
    while True:
        try:
            data = os.read(main, 4096)
        except OSError:  # the terminal closes with its last user
            break
        if not data:
            break
        seen += data
    process.wait()
    os.close(main)
    return seen.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are POSIX here")
def test_a_terminal_sees_loading_and_rounds_and_ci_does_not(small: Project) -> None:
    seen = run_on_a_terminal(small)
    assert "fast: loading the model" in seen
    assert "small/fast-paris-n64-t0: round 2/3" in seen
    plain = re.sub(r"\x1b7.*?\x1b8\x1b\[K", "", seen, flags=re.DOTALL)
    assert "loading the model" not in plain
    assert "loading the model" not in run_on_a_terminal(small, CI="true")
