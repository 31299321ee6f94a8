"""docs/verdicts.md has the numbers of the code, and what they come to."""

from __future__ import annotations

import importlib

import pytest

from tests.docs.detectable import (
    absolute_table,
    ratio_table,
    side_by_side_table,
    surely_found,
)
from tests.docs.pages import DOCS, code, rows, section
from tests.docs.who_changed import THREE, TWO, accused, slowed

PAGE = DOCS / "verdicts.md"
NUMBERS = {code(row[0]): row[1] for row in rows(section(PAGE, "All numbers"))}


@pytest.mark.parametrize(("name", "written"), NUMBERS.items())
def test_numbers_are_those_of_the_code(name: str, written: str) -> None:
    module, _, constant = name.rpartition(".")
    value = getattr(importlib.import_module(f"pytest_llmbench.{module}"), constant)
    share = written.endswith(" %")
    stated = float(written.removesuffix(" %")) / (100 if share else 1)
    assert stated == pytest.approx(value), f"{name}: the words of the page need it too"


def test_there_are_some() -> None:
    assert len(NUMBERS) > 20


def test_what_can_be_detected() -> None:
    """Write it anew with ``python -m tests.docs.detectable``."""
    text = PAGE.read_text("utf-8")
    assert absolute_table() in text
    assert ratio_table() in text
    assert side_by_side_table() in text


def test_who_changed() -> None:
    """Write it anew with ``python -m tests.docs.who_changed``."""
    text = " ".join(PAGE.read_text("utf-8").split())
    *few, last = slowed(TWO)
    assert f"are reported in {', '.join(map(str, few))} and {last} of 40 sessions" in text
    assert slowed(THREE) == [25, 40, 40, 40, 40, 40]
    assert "in 25 and from 8 % on in all 40" in text
    assert accused("base", TWO, {"ref": 0.95}, 1.0) == 7
    assert accused("base", TWO, {"ref": 0.9}, 1.0) == 2
    assert "accused in 7 of 40 simulated sessions; 10 % faster, in 2." in text


def test_half_as_much_again_is_surely_found() -> None:
    assert max(surely_found()) < 1.5
