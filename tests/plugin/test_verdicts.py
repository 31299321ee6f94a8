"""What is found and what is not: a small slowdown, unchanged code, a slow machine."""

from __future__ import annotations

import functools
import json

import pytest

from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.confirm import LAUNCHES_OF_VARIANT, Confirming
from tests.plugin.conftest import STEADY_S, Project, with_defaults

MAIN = "baselines/box/main.json"
TWO = """
reference = "base"

[variants.base]
engine = "scripted"
jitter = 0.03

[variants.tuned]
engine = "scripted"
itl_s = 0.015
jitter = 0.03

[suites.exo-five]
max_new_tokens = 16
rounds = 5
"""
SMALL_PLANT = "--llmbench-plant=tuned=8%"
WHOLE = "over 5 cases * rose by * against base, which took turns with it (accepted: *)"


def seeds(number: int) -> list[str]:
    """Arguments that let both variants be as noisy as in session *number*."""
    return [
        f"--llmbench-set=variants.{name}.noise_seed={10 * number + offset}"
        for offset, name in enumerate(("base", "tuned"))
    ]


NOW = seeds(5)


@functools.cache
def saved_once() -> list[str]:
    """Where the first test that needs a baseline leaves it for the others."""
    return []


@pytest.fixture
def kept(project: Project) -> Project:
    """Two noisy variants and a baseline of three sessions."""
    project.with_files(llmbench_toml=TWO)
    if not saved_once():
        for number in range(3):
            project.run("--llmbench-save", *seeds(number)).assert_outcomes(passed=12)
        saved_once().append(project.text(MAIN))
    (project.root / MAIN).parent.mkdir(parents=True, exist_ok=True)
    (project.root / MAIN).write_text(saved_once()[0], encoding="utf-8")
    return project


def accused(project: Project) -> dict[str, set[str]]:
    """What regressed, by variant: ids of prompts, ``"whole"`` for the variant as a whole."""
    document = json.loads(project.text("out.json"))
    found: dict[str, set[str]] = {name: set() for name in document["variants"]}
    for case in document["cases"]:
        if any(verdict["kind"] == "regressed" for verdict in case["verdicts"]):
            found[case["variant"]].add(case["prompt_id"])
    for name, variant in document["variants"].items():
        if any(verdict["kind"] == "regressed" for verdict in variant["verdicts"]):
            found[name].add("whole")
    return found


def test_a_session_keeps_what_later_ones_are_held_against(kept: Project) -> None:
    sessions = json.loads(kept.text(MAIN))["sessions"]
    assert len(sessions) == 3
    for session in sessions:
        assert session["reference"] == "base"
        assert session["readings"] == {"pace_s": STEADY_S, "calibration_s": STEADY_S}
        for key, case in session["cases"].items():
            ratios = case.get("relative", {})
            assert bool(ratios) is (case["variant"] == "tuned"), key
            assert not ratios or ratios["itl_s"] == pytest.approx(1.5, rel=0.02)


@pytest.mark.parametrize("number", [5, 6])
def test_unchanged_code_is_green(kept: Project, number: int) -> None:
    result = kept.run(*seeds(number))
    result.assert_outcomes(passed=12)
    result.stdout.no_fnmatch_line("*inconclusive*")


def test_a_small_slowdown_is_found_in_its_variant_and_nowhere_else(kept: Project) -> None:
    result = kept.run(SMALL_PLANT, "--llmbench-json=out.json", *NOW)
    found = accused(kept)
    assert found["base"] == set()
    assert "whole" in found["tuned"]
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"FAILED llmbench.toml::life-cycle::tuned*{WHOLE}"])


def test_without_an_item_to_fail_the_run_fails(kept: Project) -> None:
    result = kept.run(SMALL_PLANT, "-k", "not life", *NOW)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([f"error: variant tuned: {WHOLE}"])
    unchanged = kept.run("-k", "not life", *NOW)
    assert unchanged.ret == pytest.ExitCode.OK
    unchanged.stdout.no_fnmatch_line("error: *")


def test_a_failure_is_confirmed_in_fresh_launches(
    kept: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = with_defaults(Confirming.__init__, launches_of_variant=LAUNCHES_OF_VARIANT)
    monkeypatch.setattr(Confirming.__init__, "__kwdefaults__", usual)
    result = kept.run(SMALL_PLANT, "--llmbench-json=out.json", *NOW)
    document = json.loads(kept.text("out.json"))
    launches = {
        case["variant"]: len(case["metrics"]["itl_s"]["launches"]) for case in document["cases"]
    }
    assert 2 < launches["tuned"] <= 1 + LAUNCHES_OF_VARIANT
    assert launches["base"] == launches["tuned"], "its counterpart tells who changed"
    result.stdout.fnmatch_lines(["*confirmed*measured again in * fresh launch*"])


SLOW = [f"--llmbench-set=variants.{name}" for name in ("base.itl_s=0.012", "tuned.itl_s=0.018")]


def test_where_all_are_slower_the_ratio_stays(kept: Project) -> None:
    kept.run(*SLOW, "--llmbench-json=out.json", *NOW)
    found = accused(kept)
    assert found["tuned"] == set(), "it is as fast as before, in terms of the reference"
    assert "whole" in found["base"], "its own past is all that the reference is held against"


def test_where_the_machine_is_slower_too_nobody_is_accused(
    kept: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is launched again: a fresh process would be as slow."""
    slower = with_defaults(Bench.__init__, calibrate=lambda: 1.2 * STEADY_S)
    monkeypatch.setattr(Bench.__init__, "__kwdefaults__", slower)
    usual = with_defaults(Confirming.__init__, launches_of_variant=LAUNCHES_OF_VARIANT)
    monkeypatch.setattr(Confirming.__init__, "__kwdefaults__", usual)
    result = kept.run(*SLOW, "--llmbench-json=out.json", *NOW)
    assert accused(kept) == {"base": set(), "tuned": set()}
    cases = json.loads(kept.text("out.json"))["cases"]
    assert {len(case["metrics"]["itl_s"]["launches"]) for case in cases} == {1}
    result.assert_outcomes(passed=12)
    result.stdout.fnmatch_lines(["inconclusive:", "*but the machine itself is slower: its mem*"])
    result = kept.run(*SLOW, "--llmbench-inconclusive=fail", *NOW)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_alone_a_variant_is_held_against_its_own_past(kept: Project) -> None:
    result = kept.run("--llmbench-plant=tuned=20%", "--llmbench-variants=tuned", *NOW)
    result.stdout.fnmatch_lines(["FAILED *life-cycle::tuned*over 5 cases *s rose by *% (accepted*"])
    kept.run("--llmbench-variants=tuned", *NOW).assert_outcomes(passed=6)


def test_on_another_machine_the_ratio_still_counts(kept: Project) -> None:
    stored = json.loads(kept.text(MAIN))
    for session in stored["sessions"]:
        session["environment"]["identity"] = {"cpu": "another"}
    (kept.root / MAIN).write_text(json.dumps(stored))
    kept.run("--llmbench-json=out.json", *NOW).assert_outcomes(passed=12)
    kept.run("--llmbench-json=out.json", "--llmbench-plant=tuned=60%", *NOW)
    assert accused(kept)["base"] == set()
    assert "whole" in accused(kept)["tuned"]
