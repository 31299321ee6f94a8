"""A variant whose engine is gone is skipped, and says so; the gate does not forget its cases."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Project

GONE = "--llmbench-set=variants.slow.not_installed=true"


def test_it_is_skipped_and_no_error(small: Project) -> None:
    result = small.run(GONE)
    result.assert_outcomes(passed=3, skipped=3)
    output = result.stdout.str()
    assert "skipped: variant slow: the engine 'scripted' was told not to be installed" in output
    assert "error:" not in output
    assert [line for line in output.splitlines() if line.startswith("slow") and "skipped" in line]


def test_the_report_tells_why(small: Project) -> None:
    variant = small.run_json(GONE)["variants"]["slow"]
    assert variant["error"] is None
    assert variant["skipped"].startswith("the engine 'scripted'")


def test_its_cases_are_missing(small: Project) -> None:
    small.run("--llmbench-save").assert_outcomes(passed=6)
    result = small.run(GONE)
    assert result.ret == 0
    assert "2 missing" in result.stdout.str()
    assert small.run(GONE, "--llmbench-missing=fail").ret == pytest.ExitCode.TESTS_FAILED


def test_strict_says_it_once(small: Project) -> None:
    result = small.run(GONE, "--llmbench-strict")
    result.assert_outcomes(passed=3, failed=3)
    assert "During handling" not in result.stdout.str()
