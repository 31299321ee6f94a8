"""``llmbench schema``, and that what is in the docs is what it prints."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from tests.cli.conftest import CONFIG, Said

Type = Callable[..., Said]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def schema(run: Type) -> dict[str, object]:
    parsed = json.loads(run("schema", "config").out)
    jsonschema.Draft202012Validator.check_schema(parsed)
    return parsed


def problems(schema: dict[str, object], text: str) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(tomllib.loads(text))
    return [error.message for error in found]


@pytest.mark.parametrize("what", ["config", "results"])
def test_the_docs_hold_what_is_printed(run: Type, what: str) -> None:
    said = run("schema", what)
    assert said.code == 0
    kept = (ROOT / "docs" / "schema" / f"{what}.schema.json").read_text(encoding="utf-8")
    assert said.out == kept, "type: make schema"


def test_the_example_keeps_it(run: Type, schema: dict[str, object]) -> None:
    assert problems(schema, run("show", "--example").out) == []


@pytest.mark.parametrize(
    "text",
    [CONFIG, (ROOT / "examples" / "demo" / "llmbench.toml").read_text(encoding="utf-8")],
    ids=["scripted", "demo"],
)
def test_configurations_that_are_read_keep_it(schema: dict[str, object], text: str) -> None:
    assert problems(schema, text) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "colour = 1",
        '[variants.a]\nengine = "scripted"\ncolour = 1',
        '[variants.a]\nengine = "nonsense"',
        '[variants.a]\nengine = "transformers"',
        "[suites.exo-five]\ncolour = 1",
        "[suites.exo-five]\nmax_new_tokens = 0",
        '[limits]\ncolour = "<= 1"',
        '[tolerance]\ncolour = "1%"',
    ],
)
def test_what_is_refused_when_read_does_not(schema: dict[str, object], wrong: str) -> None:
    assert problems(schema, wrong)
