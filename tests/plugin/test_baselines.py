"""Saving, comparing, replacing; a regression is a failed test, in JUnit too."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from tests.plugin.conftest import Project, verdicts

MAIN = "baselines/box/main.json"


def saved(project: Project, name: str = MAIN) -> dict:
    return json.loads((project.root / name).read_text(encoding="utf-8"))


def test_a_second_run_against_the_saved_baseline_passes(small: Project) -> None:
    first = small.run("--llmbench-save")
    first.assert_outcomes(passed=6)
    first.stdout.fnmatch_lines(["*no baseline 'main' for machine box yet*", f"saved*{MAIN}*"])
    second = small.run()
    second.assert_outcomes(passed=6)
    second.stdout.fnmatch_lines(["*baseline 'main' for machine box (1 session)*"])
    kinds = {kind for _, kind in verdicts(small.run_json())}
    assert kinds == {"ok"}


def test_exactly_the_planted_variant_fails_in_junit_too(small: Project) -> None:
    small.run("--llmbench-save")
    result = small.run("--llmbench-plant=slow=30%", "--junitxml=out.xml", "-v")
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines(["*slow-paris*FAILED*", "*slow-poem*FAILED*", "*::slow FAILED*"])
    result.stdout.fnmatch_lines(
        [
            "*itl_s rose by 30 % against fast, which took turns with it (accepted: 1 %)*",
            "*metric*itl_s*",
            "*baseline*20 ms*",
            "*now*26 ms (2 launches)*",
            "*change*+30 % as a multiple of fast's, against 1 session*",
            "*interval*% to *% worse*",
            "*chance*a verdict needs*",
            "*tolerance*1 %*",
            "*detectable*% and more*",
            "*changed*",
            "*confirmed*measured again in 1 fresh launch*",
        ]
    )
    failures = ElementTree.parse(small.root / "out.xml").getroot().findall(".//failure")
    assert len(failures) == 3
    assert all("itl_s rose by 30 %" in (failure.text or "") for failure in failures)
    names = [
        c.get("name")
        for c in ElementTree.parse(small.root / "out.xml").iter("testcase")
        if c.find("failure") is not None
    ]
    assert names == ["slow-paris-n64-t0", "slow-poem-n64-t0", "slow"]


def test_a_planted_session_can_not_be_saved(small: Project) -> None:
    result = small.run("--llmbench-plant=slow=30%", "--llmbench-save")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --llmbench-plant*can't be saved*"])


def test_a_real_slowdown_fails_and_a_speedup_is_improved(small: Project) -> None:
    small.run("--llmbench-save")
    slower = ("--llmbench-set", "variants.fast.itl_s=0.02")
    small.run(*slower, "--llmbench-variants=fast").assert_outcomes(failed=3)
    result = small.run("--llmbench-set", "variants.slow.itl_s=0.01")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["*improved*", "*--llmbench-save*"])


def test_comparing_comes_before_saving_and_a_failing_session_is_not_saved(small: Project) -> None:
    small.run("--llmbench-save")
    before = saved(small)
    slower = ("--llmbench-set", "variants.slow.itl_s=0.04")
    result = small.run(*slower, "--llmbench-save")
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines(
        ["*not saved to the baseline 'main', because tests failed or verdicts*"]
    )
    assert saved(small) == before
    small.run(*slower, "--llmbench-save", "--llmbench-save-failed")
    assert len(saved(small)["sessions"]) == 2


def test_accepting_a_slowdown_replaces_the_baseline(small: Project) -> None:
    small.run("--llmbench-save")
    slower = ("--llmbench-set", "variants.slow.itl_s=0.04")
    small.run(*slower, "--llmbench-no-compare", "--llmbench-replace").assert_outcomes(passed=6)
    assert len(saved(small)["sessions"]) == 1
    small.run(*slower).assert_outcomes(passed=6)


def test_each_save_adds_a_session_and_the_diff_adds_lines_only(small: Project) -> None:
    small.run("--llmbench-save")
    before = (small.root / MAIN).read_text().splitlines()
    small.run("--llmbench-save")
    after = (small.root / MAIN).read_text().splitlines()
    assert len(saved(small)["sessions"]) == 2
    kept = iter(after)
    assert all(line in kept for line in before), "a line of the first session changed"


def test_names_machines_and_folders(small: Project) -> None:
    small.run("--llmbench-save=nightly", "--llmbench-machine=other", "--llmbench-baselines=kept")
    assert saved(small, "kept/other/nightly.json")["machine"] == "other"
    result = small.run(
        "--llmbench-compare=nightly",
        "--llmbench-machine=other",
        "--llmbench-baselines=kept",
        "--llmbench-plant=slow=50%",
    )
    result.assert_outcomes(passed=3, failed=3)


def test_ini_keys_do_the_same(small: Project) -> None:
    small.with_files(
        pytest_ini="[pytest]\nllmbench = true\nllmbench_machine = other\n"
        "llmbench_baselines = kept\nllmbench_save = nightly\nllmbench_compare =\n"
        "llmbench_rounds = 2\nllmbench_suites = small\n"
        "llmbench_variants = fast\nllmbench_json = report/out.json\nllmbench_warmup = 2\n"
        "llmbench_set =\n    variants.fast.text=from the ini file\n"
    )
    small.run_plain().assert_outcomes(passed=3)
    assert saved(small, "kept/other/nightly.json")["machine"] == "other"
    document = json.loads((small.root / "report" / "out.json").read_text())
    assert document["cases"][0]["text"] == "from the ini file"
    assert len(document["cases"][0]["metrics"]["itl_s"]["rounds"]) == 2


def test_no_compare_says_so_and_judges_limits_only(small: Project) -> None:
    small.run("--llmbench-save")
    result = small.run("--llmbench-no-compare", "--llmbench-plant=slow=90%")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["*compared with nothing (--llmbench-no-compare)*"])
    assert verdicts(small.run_json("--llmbench-no-compare")) == []


def test_a_baseline_asked_for_by_name_must_exist(small: Project) -> None:
    small.run("--llmbench-save")
    result = small.run("--llmbench-compare=nope")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: --llmbench-compare=nope*there are: main*save=nope*"])


@pytest.mark.parametrize(("policy", "status"), [("pass", 0), ("warn", 0), ("fail", 1)])
def test_a_case_that_is_gone_follows_the_missing_policy(
    small: Project, policy: str, status: int
) -> None:
    small.run("--llmbench-save")
    small.with_files(small_toml='[[prompts]]\nid = "poem"\nprompt = "Write a poem."\n')
    result = small.run(f"--llmbench-missing={policy}")
    assert result.ret == status
    document = small.run_json(f"--llmbench-missing={policy}")
    assert [entry["case"] for entry in document["missing"]] == [
        "small/fast-paris-n64-t0",
        "small/slow-paris-n64-t0",
    ]


@pytest.mark.parametrize(
    "part", [["-k", "poem"], ["--llmbench-variants=fast"], ["llmbench.toml::small"]]
)
def test_what_was_left_out_on_purpose_is_not_missing(small: Project, part: list[str]) -> None:
    small.run("--llmbench-save")
    document = small.run_json(*part, "--llmbench-missing=fail")
    assert document["missing"] == []


def test_a_part_can_be_saved_and_the_rest_stays(small: Project) -> None:
    small.run("--llmbench-save")
    small.run("--llmbench-save", "--llmbench-variants=fast")
    assert small.run("--llmbench-plant=slow=30%").parseoutcomes()["failed"] == 3


@pytest.mark.parametrize(("policy", "failed"), [("pass", 0), ("warn", 0), ("fail", 2)])
def test_another_workload_is_incomparable_and_follows_the_inconclusive_policy(
    small: Project, policy: str, failed: int
) -> None:
    small.run("--llmbench-save")
    changed = ("--llmbench-set", "variants.slow.revision=r2", f"--llmbench-inconclusive={policy}")
    result = small.run(*changed, "-k", "slow and not life")
    assert result.parseoutcomes().get("failed", 0) == failed
    document = small.run_json(*changed)
    assert {kind for _, kind in verdicts(document, "slow")} == {"incomparable"}
    assert {kind for _, kind in verdicts(document, "fast")} == {"ok"}
    sentence = document["cases"][-1]["verdicts"][0]["sentence"]
    assert "revision" in sentence


def test_limits_on_the_life_of_a_variant_fail_its_life(small: Project) -> None:
    result = small.run("--llmbench-set", "variants.slow.limits.rss_after_load_bytes=<= 1 MiB", "-v")
    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["*life-cycle::slow FAILED*", "*rss_after_load_bytes*1 MiB*"])


def test_memory_growth_is_a_regression(small: Project) -> None:
    small.run("--llmbench-save")
    result = small.run("--llmbench-set", f"variants.fast.load_bytes={200 * 2**20}")
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines(["*rss_peak_bytes rose*"])


def test_a_lower_score_is_a_regression(small: Project) -> None:
    small.run("--llmbench-save")
    result = small.run("--llmbench-set", "variants.fast.text=one two")
    assert "score fell" in result.stdout.str()
    assert result.parseoutcomes()["failed"] == 1


def test_a_variant_that_used_to_work_and_now_fails_is_an_error(small: Project) -> None:
    small.run("--llmbench-save")
    document = small.run_json("--llmbench-set", "variants.fast.fail_load=gone")
    assert set(verdicts(document, "fast")) == {("", "error")}


def test_the_baseline_is_small(small: Project) -> None:
    small.run("--llmbench-save")
    assert (small.root / MAIN).stat().st_size < 4096 + 800 * 6


def test_times_that_were_disturbed_are_not_kept_and_the_run_says_so(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_llmbench.metrics.taint.ACCEPTED_RUN_DELAY", -1.0)
    monkeypatch.setattr("pytest_llmbench.metrics.taint.GRAIN_S", -1.0)
    result = small.run("--llmbench-save")
    result.stdout.fnmatch_lines(["saved*without the times of 4 cases*save again*"])
    kept = saved(small)["sessions"][0]["cases"]["small/fast-paris-n64-t0"]["metrics"]
    assert "score" in kept
    assert "itl_s" not in kept


@pytest.mark.parametrize(("policy", "said"), [("pass", False), ("warn", True)])
def test_what_may_pass_is_counted_and_not_said(small: Project, policy: str, said: bool) -> None:
    small.run("--llmbench-save")
    changed = ("--llmbench-set", "variants.slow.revision=r2", f"--llmbench-inconclusive={policy}")
    output = small.run(*changed).stdout.str()
    assert ("can't be compared with the baseline" in output) is said
    assert "incomparable" in output
