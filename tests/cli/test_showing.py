"""``llmbench show``: variants, suites, metrics and the example."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_llmbench.config import load_config
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.engines import engine_options
from pytest_llmbench.runner.plan import suite_cases
from tests.cli.conftest import CONFIG, Said

Type = Callable[..., Said]


def cells(said: Said) -> dict[str, str]:
    rows = [line.strip().split("  ", 1) for line in said.out.splitlines() if line[:1] == " "]
    return {row[0]: row[-1].strip() for row in rows}


def test_a_variant(run: Type, project: Path) -> None:
    said = run("show", "variant", "slow")
    assert said.code == 0
    assert said.out.startswith("variant slow\n")
    shown = cells(said)
    assert shown["engine"] == "scripted"
    assert shown["itl_s"] == "0.02"
    assert shown["round_timeout_s"] == "60"
    assert shown["tolerance"] == "rss_peak_bytes 64 MiB"


def test_a_variant_that_is_not_there(run: Type, project: Path) -> None:
    said = run("show", "variant", "slo")
    assert said.code == 2
    assert "unknown variant 'slo' (did you mean 'slow'? allowed: fast, slow)" in said.err


def test_a_variant_without_a_configuration(run: Type, here: Path) -> None:
    said = run("show", "variant", "slow")
    assert said.code == 2
    assert "there is no llmbench.toml here" in said.err
    assert "llmbench show --example" in said.err


def test_a_suite_with_tasks_and_expected_answers(run: Type, project: Path) -> None:
    said = run("show", "suite", "own")
    assert said.code == 0
    assert said.out.startswith("suite own: 2 prompts (1 qa, 1 no task)\n")
    assert "capital-france [qa]\n  What is the capital of France?\n" in said.out
    assert '  expected: contains "Paris"\n' in said.out
    assert "talk\n  system: Be brief.\n  user: Hello?\n" in said.out
    assert cells(said)["limit"] == "ttft_s <= 80 ms"


def test_a_builtin_suite_needs_no_configuration(run: Type, here: Path) -> None:
    said = run("show", "suite", "riddle")
    assert said.code == 0
    assert said.out.startswith("suite riddle: 1 prompt")


def test_a_suite_that_is_not_there(run: Type, here: Path) -> None:
    said = run("show", "suite", "ridle")
    assert said.code == 2
    assert "did you mean 'riddle'?" in said.err


@pytest.mark.parametrize("name", CATALOGUE)
def test_each_metric(run: Type, name: str) -> None:
    said = run("show", "metric", name)
    assert said.code == 0
    assert said.out.startswith(f"{name}: {CATALOGUE[name].summary}\n")
    assert {"unit", "better", "kind", "gated", "tolerance", "floor"} <= cells(said).keys()


def test_all_metrics(run: Type) -> None:
    said = run("show", "metrics")
    assert said.code == 0
    names = [line.split()[0] for line in said.out.splitlines()]
    assert names == ["metric", *CATALOGUE]


def test_a_metric_that_is_not_there(run: Type) -> None:
    said = run("show", "metric", "itl")
    assert said.code == 2
    assert "unknown metric 'itl' (did you mean" in said.err


@pytest.mark.parametrize("words", [["show", "--example"], ["show", "config", "--example"]])
def test_the_example_is_a_configuration_that_can_be_read(
    run: Type, here: Path, words: list[str]
) -> None:
    said = run(*words)
    assert said.code == 0
    (here / "llmbench.toml").write_text(said.out)
    config = load_config(here / "llmbench.toml", engine_options())
    assert len(suite_cases(config.suites["exo-five"], config.variants)) == 10
    assert run("list").code == 0


def test_the_configuration_as_written(run: Type, project: Path) -> None:
    assert run("show", "config").out == CONFIG


def test_nothing_asked_for(run: Type, here: Path) -> None:
    said = run("show")
    assert said.code == 2
    assert "show what? Type one of variant, suite, baseline" in said.err
