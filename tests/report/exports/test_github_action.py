"""github-action-benchmark's custom formats: entries as its README and its types have them."""

from __future__ import annotations

import json

import jsonschema
import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.report.exports.github_action import render_bigger, render_smaller
from tests.report.exports.facts import results

TEXT = {"type": "string"}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "value": {"type": "number"},
            "unit": TEXT,
            "range": TEXT,
            "extra": TEXT,
        },
        "required": ["name", "value", "unit"],
        "additionalProperties": False,
    },
}
"""The interface BenchmarkResult in src/extract.ts of benchmark-action/github-action-benchmark:
name, value and unit are there, range and extra may be; an empty list is an error there."""


def entries(render) -> list[dict]:
    found = json.loads(render(results()))
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found


@pytest.mark.parametrize(
    ("render", "better"), [(render_smaller, "lower"), (render_bigger, "higher")]
)
def test_each_file_has_its_direction(render, better: str) -> None:
    names = {entry["name"].rpartition(": ")[2] for entry in entries(render)}
    assert names
    assert {CATALOGUE[name].better for name in names} == {better}


def test_no_number_is_in_both_and_none_is_lost() -> None:
    smaller, bigger = (
        {entry["name"] for entry in entries(r)} for r in (render_smaller, render_bigger)
    )
    assert not smaller & bigger
    assert "tasks/int8-sum-n64-t0: ttft_s" in smaller
    assert "int8: load_s" in smaller
    assert {"tasks/int8-sum-n64-t0: decode_tps", "tasks/int8-sum-n64-t0: score"} <= bigger


def test_an_entry() -> None:
    (entry,) = [e for e in entries(render_smaller) if e["name"] == "tasks/int8-sum-n64-t0: ttft_s"]
    assert entry == {
        "name": "tasks/int8-sum-n64-t0: ttft_s",
        "unit": "s",
        "value": 0.025,
        "range": "± 0.005",
        "extra": "median of 3 rounds\n0.02 to 0.03",
    }
    (load,) = [e for e in entries(render_smaller) if e["name"] == "int8: load_s"]
    assert load.keys() == {"name", "unit", "value"}


def test_names_are_unique() -> None:
    names = [e["name"] for r in (render_smaller, render_bigger) for e in entries(r)]
    assert len(names) == len(set(names))
