"""Every example of docs/verdicts.md is said, word for word and number for number."""

from __future__ import annotations

import json

import pytest

# pytester forgets what an inner run imports; numpy can't be imported twice in one process.
import pytest_llmbench.plugin.hooks
import pytest_llmbench.report.table  # noqa: F401
from tests.docs.pages import DOCS, code, rows, section

CONFIG = """
[variants.small]
engine = "scripted"
itl_s = 0.008

[suites.qa]
path = "qa.toml"
rounds = 1
"""

SUITE = """
[[prompts]]
id = "capital"
prompt = "What is the capital of France?"

[[prompts]]
id = "poem"
prompt = "Write a poem about rain."
"""

CHANGES = {
    "ok": "variants.small.itl_s=0.0081",
    "regressed": "variants.small.itl_s=0.0104",
    "improved": "variants.small.itl_s=0.004",
    "inconclusive": "variants.small.itl_s=0.0094",
    "missing": "variants.small.text=one",
    "incomparable": 'variants.small.revision="2"',
    "error": "variants.small.fail_load=the weights are gone",
}
"""What is changed, after a baseline was saved, to hear each verdict."""

EXAMPLES = {row[0]: code(row[2]) for row in rows(section(DOCS / "verdicts.md", "All verdicts"))}


def sentences(pytester: pytest.Pytester, *arguments: str) -> set[tuple[str, str]]:
    """Run, and return the kind and the sentence of every verdict on a case."""
    pytester.runpytest(
        "--llmbench", "-p", "no:cacheprovider", "--llmbench-json=out.json", *arguments
    )
    document = json.loads((pytester.path / "out.json").read_text(encoding="utf-8"))
    said = [verdict for case in document["cases"] for verdict in case["verdicts"]]
    return {(verdict["kind"], verdict["sentence"]) for verdict in said}


@pytest.mark.usefixtures("still")
def test_examples_are_said(pytester: pytest.Pytester) -> None:
    suite = pytester.path / "qa.toml"
    suite.write_text(SUITE)
    (pytester.path / "llmbench.toml").write_text(CONFIG)
    sentences(pytester, "--llmbench-save")
    for kind, change in CHANGES.items():
        assert (kind, EXAMPLES[kind]) in sentences(pytester, "--llmbench-set", change)
    suite.write_text(SUITE.replace('"poem"', '"rain"'))
    assert ("new", EXAMPLES["new"]) in sentences(pytester)


def test_there_is_no_other_example() -> None:
    assert set(EXAMPLES) == {*CHANGES, "new"}
