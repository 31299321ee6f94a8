"""Scorers that run something, in a session: what they say, and what stops them."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Project, verdicts

CONFIG = """
[variants.base]
engine = "scripted"
doubt = 0.1
text = "Rhine Loire"

[suites.asked]
path = "asked.toml"
rounds = 2
"""
BY_FUNCTION = """
[[prompts]]
id = "rivers"
prompt = "Name two rivers."
score = "python"
scorer = "right.py:rivers"
expect = ["Rhine", "Po"]
"""
RIGHT = """
import json

def rivers(text, prompt):
    wanted = json.loads(prompt.expect)
    return sum(river in text for river in wanted) / len(wanted)
"""


def score(document: dict) -> float:
    (case,) = document["cases"]
    return case["metrics"]["score"]["value"]


def test_a_function_beside_the_suite(project: Project) -> None:
    project.with_files(llmbench_toml=CONFIG, asked_toml=BY_FUNCTION, right_py=RIGHT)
    assert score(project.run_json("--llmbench-save")) == 0.5
    project.with_files(right_py=RIGHT.replace("/ len", "/ 2 / len"))
    worse = project.run_json()
    assert ("score", "regressed") in verdicts(worse, "base")
    (told,) = [v for v in worse["cases"][0]["verdicts"] if v["kind"] == "regressed"]
    assert "scorer right.py" in dict(map(tuple, told["evidence"]))["changed"], "the likely cause"


def test_a_limit_for_all_is_for_prompts_that_are_scored(project: Project) -> None:
    limit = '[limits]\nscore = ">= 0.5"\n'
    plain = '\n[[prompts]]\nid = "plain"\nprompt = "Hello."\n'
    project.with_files(llmbench_toml=CONFIG + limit, asked_toml=BY_FUNCTION + plain, right_py=RIGHT)
    strict = ("--llmbench-missing=fail", "--llmbench-no-compare")
    assert project.run(*strict).ret == pytest.ExitCode.OK
    result = project.run(*strict, "-k", "plain")
    result.stdout.fnmatch_lines(["*score has the limit*prompt 'plain' has no scorer*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    project.with_files(llmbench_toml=CONFIG + limit.replace("[", "[suites.asked."))
    result = project.run(*strict)
    result.stdout.fnmatch_lines(["*score has the limit*prompt 'plain' has no scorer*"])


def test_another_expectation_is_another_case(project: Project) -> None:
    project.with_files(llmbench_toml=CONFIG, asked_toml=BY_FUNCTION, right_py=RIGHT)
    project.run("--llmbench-save")
    project.with_files(asked_toml=BY_FUNCTION.replace('"Po"', '"Don"'))
    changed = project.run_json()
    assert verdicts(changed, "base") == [("", "incomparable")]


def test_a_function_that_fails_costs_its_case_and_says_so(project: Project) -> None:
    broken = RIGHT.replace("return", "return 1 / 0 +")
    project.with_files(llmbench_toml=CONFIG, asked_toml=BY_FUNCTION, right_py=broken)
    result = project.run()
    said = "*asked.toml: prompts?1?: prompt 'rivers': its scorer *right.py:rivers raised Zero*"
    result.stdout.fnmatch_lines([said])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_function_that_is_not_there_stops_the_session_before_it_measures(
    project: Project,
) -> None:
    project.with_files(llmbench_toml=CONFIG, asked_toml=BY_FUNCTION)
    result = project.run()
    result.stderr.fnmatch_lines(["ERROR: *there is no *right.py; correct it"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


def test_a_prompt_that_nobody_selected_stops_nothing(project: Project) -> None:
    more = BY_FUNCTION + '\n[[prompts]]\nid = "plain"\nprompt = "Hello."\n'
    project.with_files(llmbench_toml=CONFIG, asked_toml=more)
    assert project.run("-k", "plain").ret == pytest.ExitCode.OK


BY_RUNNING = """
[[prompts]]
id = "add"
prompt = "Write add(a, b) in Python."
score = "code"
expect = "assert add(2, 3) == 5"
"""
ADDS = CONFIG.replace('"Rhine Loire"', '"add = lambda a, b: a + b"')


@pytest.mark.engine("code")
def test_code_is_run_where_the_configuration_allows_it(project: Project) -> None:
    project.with_files(llmbench_toml=ADDS + "[code]\ntime_s = 5\n", asked_toml=BY_RUNNING)
    assert score(project.run_json()) == 1.0
    project.with_files(llmbench_toml=ADDS.replace("a + b", "a - b") + "[code]\n")
    assert score(project.run_json()) == 0.0


def test_code_is_not_run_unasked(project: Project) -> None:
    project.with_files(llmbench_toml=ADDS, asked_toml=BY_RUNNING)
    result = project.run()
    said = (
        "ERROR: *'add' is scored by running what the model writes, which nobody allowed; *?code?*"
    )
    result.stderr.fnmatch_lines([said])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


BY_LIKELIHOOD = """
[[prompts]]
id = "capital"
prompt = "What is the capital of France?"
score = "loglikelihood"
choices = ["Paris", "Rome on the Tiber"]
expect = "Paris"
"""


def test_the_likeliest_choice(project: Project) -> None:
    project.with_files(llmbench_toml=CONFIG, asked_toml=BY_LIKELIHOOD)
    document = project.run_json()
    (case,) = document["cases"]
    assert score(document) == 1.0, "the script finds every word as likely: fewer are likelier"
    assert case["choices"]["Paris"] == pytest.approx(-0.10536, abs=1e-4)
    assert case["choices"]["Rome on the Tiber"] == pytest.approx(4 * -0.10536, abs=1e-4)


def test_where_no_probabilities_are_told_the_score_says_so(project: Project) -> None:
    silent = CONFIG.replace("doubt = 0.1", "") + '[limits]\nscore = ">= 1"\n'
    project.with_files(llmbench_toml=silent, asked_toml=BY_LIKELIHOOD)
    result = project.run()
    result.stdout.fnmatch_lines(["*score*the script tells no probabilities*"])
    strict = project.run("--llmbench-missing=fail")
    assert strict.ret == pytest.ExitCode.TESTS_FAILED


def test_a_schema_of_elsewhere_is_refused_before_anything_is_measured(project: Project) -> None:
    asked = BY_FUNCTION.replace(
        'score = "python"\nscorer = "right.py:rivers"', 'score = "json-schema"'
    )
    asked = asked.replace('["Rhine", "Po"]', '{ "$ref" = "http://127.0.0.1:9/schema.json" }')
    project.with_files(llmbench_toml=CONFIG, asked_toml=asked)
    result = project.run()
    result.stderr.fnmatch_lines(["ERROR: *can't be scored*it refers to http://127.0.0.1:9/schema*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
