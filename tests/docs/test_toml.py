"""Every configuration on a page loads; every suite file is read; every part parses."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from pytest_llmbench.config import load_config, read_suite_file
from pytest_llmbench.config.place import Place
from pytest_llmbench.config.tables import ConfigTable, PromptTable, keys_of
from pytest_llmbench.engines import engine_options
from tests.docs.pages import Fence, fences_of_all

KINDS = ("toml", "toml suite", "toml fragment", "toml package")


@pytest.mark.parametrize("fence", fences_of_all("toml"), ids=str)
def test_configurations_load(fence: Fence, tmp_path: Path) -> None:
    path = tmp_path / "llmbench.toml"
    path.write_text(fence.text, encoding="utf-8")
    for suite in tomllib.loads(fence.text).get("suites", {}).values():
        if "path" in suite:
            _stub(tmp_path / suite["path"])
    assert load_config(path, engine_options()).variants


@pytest.mark.parametrize("fence", fences_of_all("toml suite"), ids=str)
def test_suite_files_are_read(fence: Fence, tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(fence.text, encoding="utf-8")
    assert read_suite_file(path, Place("page"))


@pytest.mark.parametrize("fence", fences_of_all("toml fragment"), ids=str)
def test_fragments_parse(fence: Fence) -> None:
    assert tomllib.loads(fence.text).keys() <= set(keys_of(ConfigTable))


@pytest.mark.parametrize("fence", fences_of_all("json lines"), ids=str)
def test_lines_are_prompts(fence: Fence, tmp_path: Path) -> None:
    for line in fence.text.splitlines():
        assert json.loads(line).keys() <= set(keys_of(PromptTable))
    path = tmp_path / "suite.jsonl"
    path.write_text(fence.text, encoding="utf-8")
    assert read_suite_file(path, Place("page"))


def test_no_fence_escapes() -> None:
    tomls = [f for f in fences_of_all() if f.info.startswith("toml")]
    assert {fence.info for fence in tomls} == set(KINDS)


def _stub(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    prompt = '{"id": "stub", "prompt": "Say hello."}\n'
    path.write_text(prompt if path.suffix == ".jsonl" else '[[prompts]]\nprompt = "Hello"\n')
