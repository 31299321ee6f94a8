"""The failure that docs/verdicts.md reads line by line is what a session prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, code, fences, rows, section

PAGE = DOCS / "verdicts.md"
SESSIONS = 3
PROMPTS = ("rain", "snow", "hail", "sleet", "fog")
CONFIG = """
reference = "base"

[variants.base]
engine = "scripted"
itl_s = 0.020

[variants.tuned]
engine = "scripted"
itl_s = 0.016

[suites.qa]
path = "qa.toml"

[tolerance]
ttft_s = "10%"
"""


@pytest.fixture
def printed(pytester: pytest.Pytester, still: None) -> str:
    """What a session prints in which one of two variants is 5 % slower than in three before."""
    (pytester.path / "llmbench.toml").write_text(CONFIG)
    (pytester.path / "qa.toml").write_text("".join(map(_prompt, PROMPTS)))
    options = ("--llmbench", "-p", "no:cacheprovider", "-o", "console_output_style=classic")
    pytester.runpytest(*options, "--llmbench-save")
    _repeat_sessions(next((pytester.path / "baselines").rglob("main.json")))
    return str(pytester.runpytest(*options, "--llmbench-plant=tuned=5%").stdout)


def _prompt(name: str) -> str:
    return f'[[prompts]]\nid = "{name}"\nprompt = "Tell me about {name}."\n'


def _repeat_sessions(path: Path) -> None:
    """Keep the one session several times: scripted times repeat."""
    document = json.loads(path.read_text("utf-8"))
    document["sessions"] *= SESSIONS
    path.write_text(json.dumps(document), "utf-8")


def test_a_failure_reads_as_the_page_says(printed: str) -> None:
    (shown,) = fences(PAGE, "text")[:1]
    for line in shown.text.splitlines():
        assert line in printed or line.strip().startswith("changed"), printed
    assert "1 failed" in printed


def test_every_line_is_explained() -> None:
    (shown,) = fences(PAGE, "text")[:1]
    labels = {line.split()[0] for line in shown.text.splitlines()[1:]}
    explained = {code(row[0]) for row in rows(section(PAGE, "Reading a failure")) if "`" in row[0]}
    assert labels <= explained
