"""``llmbench list``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pytest_llmbench.config import BUILTIN_SUITES
from tests.cli.conftest import Said

Type = Callable[..., Said]


def line_of(said: Said, start: str) -> str:
    return next(line for line in said.out.splitlines() if line.strip().startswith(start))


def test_without_a_configuration_it_says_how_to_begin(run: Type, here: Path) -> None:
    said = run("list")
    assert said.code == 0
    assert "to begin, type: llmbench show --example > llmbench.toml" in said.out
    assert line_of(said, "transformers").split(maxsplit=1) == [
        "transformers",
        "pip install 'pytest-llmbench[transformers]'",
    ]
    assert line_of(said, "scripted").endswith("built in: plays a script, for tests")
    for suite in BUILTIN_SUITES:
        assert line_of(said, suite)
    assert "none yet; to keep a session, type: pytest --llmbench --llmbench-save" in said.out


def test_variants_show_what_was_set(run: Type, project: Path) -> None:
    said = run("list")
    assert said.code == 0
    assert said.out.startswith("llmbench.toml: 2 variants and 1 suite\n")
    fast, slow = line_of(said, "fast"), line_of(said, "slow")
    assert fast.split("  ")[-1] == "reference"
    assert "text = one two three four five six" in fast
    assert "itl_s = 0.02" in slow
    assert "ttft_s" not in slow


def test_suites_show_source_sweep_and_cases(run: Type, project: Path) -> None:
    row = line_of(run("list"), "own")
    assert row.split()[:2] == ["own", "own.toml"]
    assert "2 prompts" in row
    assert "max_new_tokens 4|6, temperature 0, rounds 3" in row
    assert row.endswith("4 cases for each variant")


def test_a_suite_for_one_variant_names_it(run: Type, project: Path) -> None:
    with (project / "llmbench.toml").open("a") as file:
        file.write('[suites.riddle]\nvariants = ["sl*"]\n')
    assert line_of(run("list"), "riddle").endswith("1 case for slow")


def test_a_configuration_elsewhere_has_its_baselines_beside_it(run: Type, project: Path) -> None:
    (project / "below").mkdir()
    (project / "llmbench.toml").rename(project / "below" / "other.toml")
    (project / "own.toml").rename(project / "below" / "own.toml")
    said = run("list", "--config=below/other.toml")
    assert said.code == 0
    assert said.out.startswith("below/other.toml: 2 variants")
    assert "baselines in below/baselines" in said.out
