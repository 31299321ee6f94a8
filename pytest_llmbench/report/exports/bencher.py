"""Bencher Metric Format: for each case its measures, with the quartiles of its rounds as bounds.

Names of benchmarks have at most 1,024 characters there. Source: Bencher's reference of the format,
and the JSON Schema that it publishes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from pytest_llmbench.metrics.described import described
from pytest_llmbench.report.exports.headline import headline, subjects
from pytest_llmbench.report.results import Results, Value

LONGEST_NAME: Final = 1024
_DIGITS: Final = 16


def render(results: Results) -> str:
    """Return the document; a subject without any measure is left out, as the format has it."""
    found = {
        _name(subject): {name: _metric(measured, value) for name, measured, value in measures}
        for subject, metrics in subjects(results)
        if (measures := list(headline(metrics)))
    }
    return json.dumps(found, indent=2) + "\n"


def _metric(measured: Value, value: float) -> dict[str, float]:
    spread = described(measured.rounds)
    if spread is None:
        return {"value": value}
    return {"value": value, "lower_value": spread.q1, "upper_value": spread.q3}


def _name(subject: str) -> str:
    """Return *subject*, cut where it is too long, with what tells it from others cut alike."""
    if len(subject) <= LONGEST_NAME:
        return subject
    digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return f"{subject[: LONGEST_NAME - _DIGITS - 1]}-{digest}"
