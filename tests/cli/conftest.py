"""A folder to type in, and a way to type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_llmbench.cli import main

CONFIG = """\
reference = "fast"

[variants.fast]
engine = "scripted"
text = "one two three four five six"

[variants.slow]
engine = "scripted"
itl_s = 0.02
round_timeout_s = 60.0
[variants.slow.tolerance]
rss_peak_bytes = "64 MiB"

[suites.own]
path = "own.toml"
max_new_tokens = [4, 6]
rounds = 3
[suites.own.limits]
ttft_s = "<= 80 ms"
"""

SUITE = """\
[[prompts]]
id = "capital-france"
prompt = "What is the capital of France?"
task = "qa"
expect = "Paris"
score = "contains"

[[prompts]]
id = "talk"
messages = [{role = "system", content = "Be brief."}, {role = "user", content = "Hello?"}]
"""


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def project(here: Path) -> Path:
    """The current folder with a configuration of two scripted variants."""
    (here / "llmbench.toml").write_text(CONFIG)
    (here / "own.toml").write_text(SUITE)
    return here


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Type a command in this process."""

    def typed(*words: str) -> Said:
        try:
            code = main(words)
        except SystemExit as exc:
            code = int(exc.code or 0)
        out, err = capsys.readouterr()
        return Said(int(code), out, err)

    return typed
