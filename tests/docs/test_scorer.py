"""The scorer on a page scores the prompt beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llmbench.config import read_suite_file
from pytest_llmbench.config.place import Place
from pytest_llmbench.domain.suite import Prompt
from pytest_llmbench.runner.scoring import Scoring
from tests.docs.pages import fences_of_all

PAGE_HAS = "scorer ="


@pytest.fixture
def prompts(tmp_path: Path) -> dict[str, Prompt]:
    (suite,) = (fence for fence in fences_of_all("toml suite") if PAGE_HAS in fence.text)
    (scorer,) = fences_of_all("python scorer")
    path = tmp_path / "suite.toml"
    path.write_text(suite.text, encoding="utf-8")
    (tmp_path / "scoring.py").write_text(scorer.text, encoding="utf-8")
    return {prompt.id: prompt for prompt in read_suite_file(path, Place("page"))}


def test_your_own_function(prompts: dict[str, Prompt]) -> None:
    scoring = Scoring()
    scoring.check([prompts["rivers"]])
    assert scoring(prompts["rivers"], "The Rhine, the Po and the Danube.") == 1.0
    assert scoring(prompts["rivers"], "The Rhine.") == pytest.approx(1 / 3)


def test_the_schema(prompts: dict[str, Prompt]) -> None:
    scoring = Scoring()
    assert scoring(prompts["person"], '{"name": "Ada Lovelace", "born": 1815}') == 1.0
    assert scoring(prompts["person"], '{"name": "Ada Lovelace", "born": "1815"}') == 0.0
