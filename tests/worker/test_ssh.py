"""What a host becomes: words for ssh, and a command for the shell there."""

from __future__ import annotations

import pytest

from pytest_llmbench.worker.ssh import remote_python, ssh_words


def test_the_user_s_words_come_first_and_win() -> None:
    words = ssh_words("ssh=-p 2222 -oConnectTimeout=99 me@box")
    assert words[:4] == ["-p", "2222", "-oConnectTimeout=99", "me@box"]
    assert all(word.startswith("-o") for word in words[4:])
    assert "-oBatchMode=yes" in words
    assert not any(" " in word for word in words)  # execnet splits at spaces


@pytest.mark.parametrize(
    ("python", "typed"),
    [
        (None, "python3"),
        ("python3.12", "python3.12"),
        ("/opt/venv/bin/python", "/opt/venv/bin/python"),
        ("~/venv/bin/python", "~/venv/bin/python"),
        ("~/my venv/bin/python", "~/'my venv/bin/python'"),
        ("x; rm y", "'x; rm y'"),
    ],
)
def test_the_shell_there_reads_one_word(python: str | None, typed: str) -> None:
    assert remote_python(python) == typed
