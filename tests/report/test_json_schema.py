"""The schema says what the results file is, no less and no more; its file is kept equal."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import jsonschema
import msgspec
import pytest

from pytest_llmbench.domain.record import Readings
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.json_report import session_document
from pytest_llmbench.report.json_schema import results_schema, schema_text

from .facts import HOSTILE, case, example, life, session, verdict
from .test_json_report import in_turns

FILE = Path(__file__).parents[2] / "docs" / "schema" / "results.schema.json"


def problems(document):
    validator = jsonschema.Draft202012Validator(results_schema())
    return [error.message for error in validator.iter_errors(document)]


def document():
    gone = verdict(VerdictKind.MISSING, sentence="it was not run")
    whole = session(
        [*example().cases, case(error="it died", prompt="e"), case(text=HOSTILE, prompt="h")],
        [*example().variants, life("gone", error="no model", loaded=False)],
        [("exo-five/gone", gone)],
    )
    return copy.deepcopy(session_document(whole))


def test_the_file_holds_the_schema():
    assert FILE.read_text(encoding="utf-8") == schema_text(), (
        "docs/schema/README.md has the line that writes it anew"
    )


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(results_schema())


def test_a_real_document_is_valid():
    assert problems(document()) == []


def test_an_empty_session_is_valid():
    assert problems(session_document(session())) == []


def test_a_session_in_turns_is_valid():
    record = msgspec.structs.replace(
        session([in_turns()]),
        reference="other",
        readings=Readings(pace_s=1e-4, calibration_s=None),
        control={"itl_s": 0.01, "ttft_s": math.inf},
    )
    assert problems(session_document(record)) == []


def test_null_for_what_is_not_finite_is_valid():
    assert problems(session_document(session([case(metrics={"ttft_s": math.nan})]))) == []


ALTERATIONS = {
    "newer": lambda d: d.update(schema_version=2),
    "unknown key": lambda d: d.update(extra=1),
    "no cases": lambda d: d.pop("cases"),
    "unknown kind": lambda d: d["cases"][0]["verdicts"][0].update(kind="fine"),
    "unknown metric": lambda d: d["cases"][0]["metrics"].update(speed={"value": 1, "unit": "s"}),
    "other unit": lambda d: d["cases"][0]["metrics"]["ttft_s"].update(unit="ms"),
    "text for number": lambda d: d["cases"][0]["metrics"]["ttft_s"].update(value="fast"),
    "a life's metric on a case": lambda d: d["cases"][0]["metrics"].update(
        load_s={"value": 1.0, "unit": "s"}
    ),
    "rounds of a life": lambda d: d["variants"]["base-fp16"]["life_cycle"]["load_s"].update(
        rounds=[1.0]
    ),
    "prompt as object": lambda d: d["cases"][0].update(prompt={"id": "sum"}),
    "no error key": lambda d: d["variants"]["base-fp16"].pop("error"),
    "unknown contention": lambda d: d["cases"][0]["contention"][0].update(moon=1),
    "unknown parameter": lambda d: d["cases"][0]["parameters"].update(beams=4),
    "missing without sentence": lambda d: d["missing"][0].pop("sentence"),
    "a change of what is not noisy": lambda d: d["control"].update(score=0.1),
    "unknown reading": lambda d: d["readings"].update(moon=1),
    "no reference key": lambda d: d.pop("reference"),
    "a ratio to nobody": lambda d: d["cases"][0]["relative"].update(
        itl_s={"value": 1.0, "launches": [1.0], "error": 0.0}
    ),
    "a round without a turn": lambda d: d["cases"][0]["rounds"][0].pop("turn"),
    "a launch before the first": lambda d: d["cases"][0]["rounds"][0].update(launch=-1),
    "launches of what repeats": lambda d: d["cases"][0]["metrics"]["rss_peak_bytes"].update(
        launches=[1.0]
    ),
    "no chance": lambda d: d["cases"][0]["verdicts"][0].pop("p"),
}


@pytest.mark.parametrize("alter", ALTERATIONS.values(), ids=ALTERATIONS)
def test_an_altered_document_is_invalid(alter):
    altered = document()
    alter(altered)
    assert problems(altered)


def objects(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)


def test_every_object_with_fields_is_closed_and_described():
    found = list(objects(results_schema()))
    assert found
    assert all(each["additionalProperties"] is False for each in found)
    assert all(each["description"] for each in found)
