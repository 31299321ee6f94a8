"""Bencher Metric Format, against its published schema and limits."""

from __future__ import annotations

import json

import jsonschema
import pytest

from pytest_llmbench.report.exports.bencher import LONGEST_NAME, render
from pytest_llmbench.report.results import session_results
from tests.report.exports.facts import results, rich
from tests.report.facts import session

METRIC = {
    "type": "object",
    "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
    "required": ["value"],
    "additionalProperties": False,
}
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "propertyNames": {"minLength": 1, "maxLength": 1024},
    "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"minLength": 1, "maxLength": 64},
        "additionalProperties": METRIC,
    },
}
"""What Bencher's reference of the format says: a benchmark's name maps to its measures, each a
number with optional bounds; names have 1,024 and 64 characters at most. Stricter than the schema
that Bencher publishes (https://bencher.dev/bmf.json), which lets further properties pass."""


def document(told=None) -> dict:
    found = json.loads(render(told or results()))
    jsonschema.Draft7Validator(SCHEMA).validate(found)
    return found


def test_measures_of_a_case() -> None:
    measure = document()["tasks/int8-sum-n64-t0"]["ttft_s"]
    expected = {"value": 0.025, "lower_value": 0.02125, "upper_value": 0.02875}
    assert measure == pytest.approx(expected)


def test_what_has_no_rounds_has_no_bounds() -> None:
    assert document()["tasks/int8-sum-n64-t0"]["kl_mean"] == {"value": 0.25}
    assert document()["int8"] == {"load_s": {"value": 1.234}}


def test_what_failed_has_no_entry() -> None:
    assert not {"tasks/int8-dead-n64-t0", "lost"} & document().keys()


def test_names_that_are_too_long_stay_apart() -> None:
    told = session_results(session([rich(prompt="x" * 2000 + tail) for tail in "ab"]))
    assert len(document(told)) == 2
    assert all(len(name) <= LONGEST_NAME for name in document(told))


def test_the_schema_refuses_what_is_wrong() -> None:
    for wrong in ({"": {"a": {"value": 1}}}, {"a": {}}, {"a": {"b": {"value": "1"}}}, {"a": 1}):
        assert not jsonschema.Draft7Validator(SCHEMA).is_valid(wrong)
