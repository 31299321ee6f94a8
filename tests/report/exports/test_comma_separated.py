"""CSV: complete, parseable, and nothing in it is a formula."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.report.exports.comma_separated import COLUMNS, defused, render
from pytest_llmbench.report.results import session_results
from tests.report.exports.facts import FORMULA, results
from tests.report.facts import life, session

TRIGGERS = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
SEPARATORS = ",;|\t"


def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(results()), newline="")))


def only(**wanted: str) -> dict[str, str]:
    (row,) = [row for row in rows() if all(row[k] == v for k, v in wanted.items())]
    return row


def test_one_line_for_each_metric() -> None:
    told = results()
    measured = [m for case in told.cases for m in case.metrics]
    measured += [m for variant in told.variants.values() for m in variant.life_cycle]
    errors = 2
    assert len(rows()) == len(measured) + errors
    assert tuple(rows()[0]) == COLUMNS


def test_a_line() -> None:
    line = only(variant="int8", metric="ttft_s")
    spread = [float(line.pop(name)) for name in ("q1", "q3", "deviation")]
    assert spread == pytest.approx([0.02125, 0.02875, 0.005])
    assert line == {
        "suite": "tasks",
        "variant": "int8",
        "prompt": "sum",
        "task": "qa",
        "max_new_tokens": "64",
        "temperature": "0.0",
        "seed": "0",
        "case": "tasks/int8-sum-n64-t0",
        "metric": "ttft_s",
        "unit": "s",
        "better": "lower",
        "value": "0.025",
        "rounds": "3",
        "lowest": "0.02",
        "highest": "0.03",
        "relative_to": "",
        "relative": "",
        "verdict": "",
        "error": "",
    }


def test_ratios_verdicts_and_lives() -> None:
    decode = only(variant="int8", metric="decode_tps")
    assert (decode["relative_to"], decode["relative"]) == ("base-fp16", "1.5")
    load = only(variant="int8", metric="load_s")
    assert (load["suite"], load["value"], load["verdict"]) == ("", "1.234", "regressed")


def test_what_failed_has_a_line() -> None:
    dead = only(prompt="dead")
    assert (dead["metric"], dead["verdict"], dead["error"]) == ("", "error", "it died")
    assert only(variant="lost")["error"] == "no such model"


def test_lines_end_as_the_standard_has_it() -> None:
    assert render(results()).endswith("\r\n")
    assert "\n" not in render(results()).replace("\r\n", "")


def starts_a_formula(text: str) -> bool:
    return text.lstrip(" ").startswith(tuple(TRIGGERS))


def test_no_cell_is_a_formula() -> None:
    numbers = ("value", "lowest", "q1", "q3", "highest", "relative")
    cells = [cell for row in rows() for name, cell in row.items() if name not in numbers]
    assert not [cell for cell in cells if starts_a_formula(cell)]
    assert any(cell.startswith("'=") for cell in cells), "the hostile variant is there, defused"


@pytest.mark.parametrize("separator", SEPARATORS)
def test_nor_where_another_separator_is_read(separator: str) -> None:
    table = csv.reader(io.StringIO(render(results()), newline=""), delimiter=separator)
    for row in table:
        for cell in row:
            assert not starts_a_formula(cell) or cell.lstrip("-").replace(".", "").isdigit(), cell


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FORMULA, "'=HYPERLINK(\"http://x.invalid\";'a')"),
        ("-1+2", "'-1+2"),
        ("\t=1", "'=1"),
        ("  @SUM(A1)", "'@SUM(A1)"),
        ("a;=1", "a;'=1"),
        ('a","=1', 'a","\'=1'),
        ("\uff1d1", "'\uff1d1"),
        ("n64-t0", "n64-t0"),
        ("base+lora@v2", "base+lora@v2"),
    ],
)
def test_what_is_defused(text: str, expected: str) -> None:
    assert defused(text) == expected


@given(st.text(alphabet=TRIGGERS + SEPARATORS + "\"' ab\n", max_size=12))
def test_a_defused_text_starts_no_formula_in_any_cell(text: str) -> None:
    row = io.StringIO()
    csv.writer(row).writerow([defused(text), "next"])
    for separator in SEPARATORS:
        (cells,) = csv.reader(io.StringIO(row.getvalue(), newline=""), delimiter=separator)
        assert not [cell for cell in cells if starts_a_formula(cell)]


def test_what_was_skipped_is_no_error() -> None:
    skipped = life("gone")
    record = msgspec.structs.replace(skipped.record, skipped="its engine is not installed")
    gone = msgspec.structs.replace(skipped, record=record)
    text = render(session_results(session([], [gone])))
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["variant"], row["verdict"]) == ("gone", "skipped")
    assert row["error"] == "its engine is not installed"
