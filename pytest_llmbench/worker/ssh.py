"""What ``host = "ssh=…"`` becomes: words for the ssh client, and a command for the shell there."""

from __future__ import annotations

import shlex
from typing import Final

DEFAULT_PYTHON: Final = "python3"

_OPTIONS: Final = {
    "BatchMode": "yes",  # nobody is there to answer a question
    "RequestTTY": "no",  # a terminal would change the bytes
    "ControlMaster": "no",  # a shared connection would outlive this client
    "ConnectTimeout": "30",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "4",  # a network that is gone is noticed within a minute
}
"""Of each option ssh takes the first that it is told, so that the user's own words win."""


def ssh_words(host: str) -> list[str]:
    """Return what follows ``ssh``: the user's words, the host last of them, then our options."""
    words = host.removeprefix("ssh=").split()
    return [*words, *(f"-o{name}={value}" for name, value in _OPTIONS.items())]


def remote_python(python: str | None) -> str:
    """Return the interpreter as the shell there reads it; ``~/`` is the home folder there."""
    asked = python or DEFAULT_PYTHON
    home, tail = ("~/", asked[2:]) if asked.startswith("~/") else ("", asked)
    return home + shlex.quote(tail)
