"""Tests in Python: the fixtures, the marker, and what a result offers."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Project


def test_one_item_a_case_and_one_measurement_for_all_who_ask(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "def test_speed(llmbench):\n"
            "    result = llmbench()\n"
            "    assert result.decode_tps.median >= 49\n"
            "    assert result.decode_tps >= 49 and result.latency_s < 1\n"
            "    assert len(result.itl_s.rounds) == 3 and result.itl_s.p90 == result.itl_s.max\n"
            "    assert result.text.startswith('one two')\n"
            "    assert llmbench() is not None\n"
        )
    )
    result = small.run("-v")
    result.assert_outcomes(passed=10)
    result.stdout.fnmatch_lines(["*test_speed?fast-paris-n64-t0?*PASSED*"])


def test_a_metric_that_is_not_there_says_so(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest, pytest_llmbench\n"
            "@pytest.mark.llmbench(prompts='poem', variants='fast')\n"
            "def test_a(llmbench):\n"
            "    result = llmbench()\n"
            "    with pytest.raises(pytest_llmbench.NotMeasuredError, match='score was not'):\n"
            "        result.score\n"
            "    with pytest.raises(AttributeError, match='no metric .speed.*decode_tps'):\n"
            "        result.speed\n"
            "    assert not hasattr(result, 'similarity')\n"
        )
    )
    small.run("test_a.py").assert_outcomes(passed=1)


def test_the_marker_narrows_and_sweeps(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n"
            "@pytest.mark.llmbench(suite='small', variants=['sl*'], prompts=['paris'],\n"
            "                      max_new_tokens=[2, 4], rounds=2, length='fixed')\n"
            "def test_a(llmbench):\n"
            "    result = llmbench()\n"
            "    assert result.output_tokens == result.case.parameters.max_new_tokens\n"
            "    assert len(result.traces) == 2\n"
        )
    )
    result = small.run("test_a.py", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_a?slow-paris-n2fixed-t0?*", "*?slow-paris-n4fixed-t0?*"])


def test_a_builtin_suite_needs_no_table(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n@pytest.mark.llmbench(suite='riddle', variants='fast')\n"
            "def test_a(llmbench): llmbench()\n"
        )
    )
    small.run("test_a.py").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("suite='smal'", "*suite: unknown suite 'smal'*"),
        ("variants='x*'", "*'x*' matches no variant (there are: fast, slow)*"),
        ("rounds=0", '*rounds: write a whole number of at least 1 or "auto", found 0*'),
        ("max_new_tokens=0", "*max_new_tokens*"),
        ("limits={'speed': '> 1'}", "*limits: unknown metric 'speed'*"),
        ("limits={'ttft_s': 'fast'}", "*'fast' is not a limit*ttft_s = *<= 80 ms*"),
        ("'small'", "*named arguments only, found 'small'*suite='small'*"),
    ],
)
def test_a_wrong_marker_is_one_sentence(small: Project, argument: str, message: str) -> None:
    small.with_files(
        test_a_py=(
            f"import pytest\n@pytest.mark.llmbench({argument})\ndef test_a(llmbench): llmbench()\n"
        )
    )
    result = small.run("test_a.py")
    assert result.ret != 0
    result.stdout.fnmatch_lines([message])
    assert "Traceback" not in result.stdout.str()


def test_limits_from_marker_and_code_narrow_those_of_the_configuration(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n"
            "@pytest.mark.llmbench(prompts='poem', limits={'itl_s': '<= 15 ms'})\n"
            "def test_marker(llmbench): llmbench()\n"
            "@pytest.mark.llmbench(prompts='poem', limits={'itl_s': '<= 15 ms'})\n"
            "def test_code(llmbench): llmbench(limits={'itl_s': '<= 30 ms'})\n"
        )
    )
    result = small.run("test_a.py", "-v")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(
        ["*test_marker?slow-poem*FAILED*", "*itl_s*20 ms*15 ms*test_marker*"]
    )


def test_the_test_s_own_assertion_comes_first(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n"
            "@pytest.mark.llmbench(prompts='poem', variants='fast', limits={'itl_s': '< 1 ms'})\n"
            "def test_a(llmbench):\n    assert llmbench().ttft_s < 0.001\n"
        )
    )
    result = small.run("test_a.py")
    result.assert_outcomes(failed=1)
    # what breaks a limit on times is measured again in a fresh launch
    result.stdout.fnmatch_lines(["*<ttft_s 50 ms, 6 rounds>*"])


def test_a_fixture_that_is_never_called_measured_nothing(small: Project) -> None:
    small.with_files(test_a_py="def test_a(llmbench): pass\n")
    result = small.run("test_a.py", "-k", "fast-paris")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*never called it*call llmbench()*"])


def test_a_marker_without_a_fixture_is_an_error(small: Project) -> None:
    small.with_files(test_a_py="import pytest\n@pytest.mark.llmbench()\ndef test_a(): pass\n")
    result = small.run("test_a.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*takes neither the fixture llmbench nor llmbench_variant*"])


def test_the_loaded_variant_generates(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "def test_a(llmbench_variant):\n"
            "    answer = llmbench_variant.generate('hi', max_new_tokens=3)\n"
            "    assert answer.text == 'one two three' and answer.finish_reason == 'length'\n"
            "    assert len(answer.tokens) == 3 and llmbench_variant.facts.device == 'cpu'\n"
            "    turns = [{'role': 'user', 'content': 'hi'}]\n"
            "    assert llmbench_variant.generate(turns).finish_reason == 'stop'\n"
        )
    )
    result = small.run("test_a.py", "-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_a?fast?*", "*test_a?slow?*"])


def test_a_prompt_that_ends_with_an_answer_is_refused(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n"
            "from pytest_llmbench import ConfigError\n"
            "@pytest.mark.parametrize('turns', [[], [{'role': 'assistant', 'content': 'I'}]])\n"
            "def test_a(llmbench_variant, turns):\n"
            "    with pytest.raises(ConfigError, match='user message|has no messages'):\n"
            "        llmbench_variant.generate(turns)\n"
        )
    )
    small.run("test_a.py").assert_outcomes(passed=4)


def test_both_fixtures_mean_the_same_variant(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "def test_a(llmbench, llmbench_variant):\n"
            "    assert llmbench().case.variant == llmbench_variant.id\n"
        )
    )
    small.run("test_a.py").assert_outcomes(passed=4)


def test_other_parameters_multiply(small: Project) -> None:
    small.with_files(
        test_a_py=(
            "import pytest\n@pytest.mark.parametrize('n', [1, 2])\n"
            "@pytest.mark.llmbench(variants='fast')\n"
            "def test_a(llmbench, n): llmbench()\n"
        )
    )
    small.run("test_a.py").assert_outcomes(passed=4)


@pytest.mark.parametrize("name", ["llmbench", "llmbench_variant"])
def test_a_fixture_that_is_asked_for_late_says_how_to_take_it(small: Project, name: str) -> None:
    small.with_files(test_a_py=f"def test_a(request): request.getfixturevalue('{name}')\n")
    result = small.run("test_a.py")
    result.assert_outcomes(errors=0, failed=1)
    result.stdout.fnmatch_lines([f"*{name} was asked for*take it as an argument*"])
