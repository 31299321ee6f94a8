"""Both sentences of docs/verdicts.md on two sides are said of two commits."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, code, rows, section

CONFIG = """
[variants.small]
engine = "scripted"
itl_s = 0.008

[suites.qa]
path = "qa.toml"
rounds = 4
"""
SLOWER = CONFIG.replace("itl_s = 0.008", "itl_s = 0.010\nmodel_bytes = 2000")
SUITE = """
[[prompts]]
id = "capital"
prompt = "What is the capital of France?"
"""

EXAMPLES = {
    row[0]: code(row[1])
    for row in rows(section(DOCS / "verdicts.md", "Side by side"))
    if row[0] in ("a time", "a number that repeats")
}


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.usefixtures("still")
def test_examples_are_said(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(pytester.path / "none"))
    (pytester.path / "llmbench.toml").write_text(CONFIG)
    (pytester.path / "qa.toml").write_text(SUITE)
    git(pytester.path, "init", "-q", "-b", "main")
    git(pytester.path, "add", "-A")
    git(pytester.path, "commit", "-q", "-m", "first")
    git(pytester.path, "tag", "v1")
    (pytester.path / "llmbench.toml").write_text(SLOWER)
    result = pytester.runpytest("--llmbench", "-p", "no:cacheprovider", "--llmbench-against=v1")
    printed = str(result.stdout)
    assert len(EXAMPLES) == 2
    for sentence in EXAMPLES.values():
        assert sentence in printed
