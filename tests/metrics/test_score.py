"""What counts as an answer, and what only looks like one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.errors import ConfigError
from pytest_llmbench.metrics.score import first_choice, last_number, score

from .facts import make_prompt


def test_nothing_is_scored_without_a_scorer_or_an_expected_answer():
    assert score(make_prompt(), "4") is None
    assert score(make_prompt(score="exact"), "4") is None


@pytest.mark.parametrize(
    ("scorer", "expect", "text", "right"),
    [
        ("exact", "New York", "  new\n york ", True),
        ("exact", "New York", "New York.", False),
        ("exact", 100.0, "100", True),
        ("contains", "new york", "It is New\n  York, of course.", True),
        ("contains", "New York", "NewYork", False),
        ("contains", 9, "There are 9.", True),
        ("regex", r"^def \w+", "Here:\ndef add(a, b):", True),
        ("regex", r"def.*return", "def f():\n    return 1", False),
        ("regex", r"(?i)PARIS", "paris", True),
        ("number", 4, "2 + 2 = 4", True),
        ("number", 4, "4, not 5", False),
        ("number", "1,000", "It is 1000.", True),
        ("number", 1000, "That makes 1,000 km.", True),
        ("number", 0.1, "0.1000000000001", True),
        ("number", 0.1, "0.100001", False),
        ("number", 4, "four", False),
        ("choice", "B", "The answer is (B).", True),
        ("choice", "b)", "B", True),
        ("choice", "A", "A dog is an animal.", False),
        ("json", None, '{"a": [1, 2]}', True),
        ("json", None, "```json\n{}\n```", False),
        ("json", '{"a": 1, "b": 2}', '\n{"b": 2.0, "a": 1}\n', True),
        ("json", '{"a": 1}', '{"a": true}', False),
        ("json", '{"a": 1}', '{"a": 1, "b": 2}', False),
        ("json", "[1, 2]", "[2, 1]", False),
        ("json", "null", "null", True),
        ("json", 3, "3.0", True),
        ("json", None, "NaN", False),
        ("json", None, "[" * 100_000, False),
        ("json", None, "", False),
        ("json-schema", '{"type": "object", "required": ["a"]}', '{"a": 1}', True),
        ("json-schema", '{"type": "object", "required": ["a"]}', '{"b": 1}', False),
        ("json-schema", '{"type": "object"}', "```json\n{}\n```", False),
        ("json-schema", '{"type": "integer"}', "1.5", False),
        ("json-schema", '{"type": "integer"}', "true", False),
        ("json-schema", "{}", "[" * 100_000, False),
        ("json-schema", '{"multipleOf": 0.01}', "1" * 400, False),
        ("json-schema", '{"multipleOf": 0.01}', "1e999", False),
        ("json", "[" * 600 + "]" * 600, "[" * 600 + "]" * 600, False),
        (
            "json-schema",
            '{"$defs": {"n": {"type": "null"}}, "items": {"$ref": "#/$defs/n"}}',
            "[null, 1]",
            False,
        ),
    ],
)
def test_right_and_wrong(scorer, expect, text, right):
    assert score(make_prompt(scorer, expect), text) == float(right)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,234 of 2,000.5", 2000.5),
        ("H2O", None),
        ("v1.2.3", None),
        ("10-12", 12),
        ("it is -5", -5),
        ("it is −5 °C", -5),
        ("1.5e3 units", 1500),
        ("about 100.", 100),
        ("1,2,3", 3),
        ("12345,678", 678),
        ("costs $.50", 0.5),
        ("1'000 or 1_000", 1000),
        ("10\u202f000 m", 10000),
        ("the 2nd", 2),
        ("none", None),
    ],
)
def test_last_number(text, number):
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("B", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("B) apple", "B"),
        ("**B**", "B"),
        ("Answer: B", "B"),
        ("The answer is A", "A"),
        ("A is right, B is not", "A"),
        ("A\nbecause it flies", "A"),
        ("A) dog", "A"),
        ("A dog is not, so C", "C"),
        ("A Venus flytrap: D", "D"),
        ("I think it is C", "C"),
        ("I'd say C", "C"),
        ("In the U.S. it is B", "B"),
        ("Not C# but B", "B"),
        ("b)", "B"),
        (" b ", "B"),
        ("(b) apple", "B"),
        ("e.g. B", "B"),
        ("a dog", None),
        ("Mars", None),
        ("", None),
    ],
)
def test_first_choice(text, choice):
    assert first_choice(text) == choice


@pytest.mark.parametrize(
    ("scorer", "expect", "why"),
    [
        ("regex", "(", "missing )"),
        ("number", "many", "it holds no number"),
        ("choice", "Mars", "it names no choice"),
        ("json", "{", "Expecting property name"),
    ],
)
def test_an_expected_answer_that_its_scorer_cannot_read(scorer, expect, why):
    with pytest.raises(ConfigError, match=r"suite\.toml: prompt 'sum' can't be scored") as caught:
        score(make_prompt(scorer, expect), "[]")
    assert why in str(caught.value)


@given(st.integers(min_value=-(10**12), max_value=10**12), st.sampled_from(["", " km", ".", "!"]))
def test_any_number_is_found_with_and_without_separators(number, ending):
    assert last_number(f"first 7, then {number}{ending}") == number
    assert last_number(f"first 7, then {number:,}{ending}") == number


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_any_json_equals_itself_however_it_is_written(value):
    expect = json.dumps(value)
    assert score(make_prompt("json", expect), json.dumps(value, indent=2)) == 1


@given(st.text())
def test_no_text_makes_a_scorer_fail(text):
    for scorer, expect in (("number", 1), ("choice", "A"), ("json", None), ("contains", "x")):
        assert score(make_prompt(scorer, expect), text) in (0.0, 1.0)


def test_a_schema_fetches_nothing(monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *_: pytest.fail("it asked the network"))
    asked = make_prompt("json-schema", '{"$ref": "http://127.0.0.1:9/schema.json"}')
    with pytest.raises(
        ConfigError, match=r"it refers to http://127\.0\.0\.1:9/schema\.json, which"
    ):
        score(asked, "{}")


def test_scorers_that_run_something_are_not_here():
    assert score(make_prompt("python"), "4") is None
    assert score(make_prompt("code", "assert True"), "1") is None
