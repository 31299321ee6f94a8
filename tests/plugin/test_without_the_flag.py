"""A suite without benchmarks behaves as before; benchmarks are skipped, with a reason."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Project


def test_a_plain_suite_is_as_before(small: Project) -> None:
    small.with_files(test_plain_py="def test_a(): pass\ndef test_b(): assert 0\n")
    small.run_plain().assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("fixture", ["llmbench", "llmbench_variant"])
def test_benchmarks_are_skipped_with_the_flag_to_type(small: Project, fixture: str) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n@pytest.fixture\ndef costly(): raise RuntimeError\n"
            f"def test_a(costly, {fixture}): pass\n"
        )
    )
    result = small.run_plain("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*--llmbench*"])


def test_under_xdist_they_are_skipped_as_well(small: Project) -> None:
    small.with_files(test_a_py="def test_a(llmbench): pass\ndef test_b(): pass\n")
    small.run_plain("-n", "2").assert_outcomes(skipped=1, passed=1)


def test_the_marker_is_checked_all_the_same(small: Project) -> None:
    small.with_files(
        test_a_py="import pytest\n@pytest.mark.llmbench(suit='x')\ndef test_a(llmbench): pass\n"
    )
    result = small.run_plain()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no argument 'suit'*did you mean 'suite'*allowed: suite*"])


def test_the_marker_is_known_to_strict_markers(small: Project) -> None:
    small.with_files(
        test_a_py="import pytest\n@pytest.mark.llmbench(rounds=3)\ndef test_a(llmbench): pass\n"
    )
    small.run_plain("--strict-markers").assert_outcomes(skipped=1)
    small.run_plain("--markers").stdout.fnmatch_lines(["@pytest.mark.llmbench(suite=*"])
