"""Amounts as people type and read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.units import (
    Unit,
    axis_scale,
    example_amount,
    format_amount,
    format_bytes,
    format_percent,
    format_seconds,
    parse_amount,
)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.5", "s", 0.5),
        ("80 ms", "s", 0.08),
        ("80ms", "s", 0.08),
        (" 2 min ", "s", 120.0),
        ("50 MiB", "B", 50 * 2**20),
        ("1 GB", "B", 1e9),
        ("10", "tok/s", 10.0),
        ("10 tok/s", "tok/s", 10.0),
        ("5%", "1", 0.05),
        ("0.85", "1", 0.85),
        ("1e-3", "s", 0.001),
        ("-3", "count", -3.0),
    ],
)
def test_what_is_read(text: str, unit: Unit, value: float) -> None:
    assert parse_amount(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("fast", "s", "'fast' is not an amount such as '80 ms'"),
        ("5 MiB", "s", "unknown unit 'MiB' .allowed here: s, ms"),
        ("5 ms", "B", "unknown unit 'ms'"),
        ("1e999", "s", "not finite"),
        ("", "s", "not an amount"),
        ("3 apples", "count", "allowed here: none"),
    ],
)
def test_what_is_refused(text: str, unit: Unit, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_amount(text, unit)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "12.3 ms"), (1.5, "1.5 s"), (0.0000042, "4.2 µs"), (0, "0 s"), (123.4, "123 s")],
)
def test_seconds(value: float, text: str) -> None:
    assert format_seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(52428800, "50 MiB"), (1023, "1023 B"), (1.5 * 2**30, "1.5 GiB"), (0, "0 B")],
)
def test_bytes(value: float, text: str) -> None:
    assert format_bytes(value) == text


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [(0.125, False, "12.5 %"), (0.1, True, "+10 %"), (-0.1, True, "-10 %"), (3, True, "+300 %")],
)
def test_percent(value: float, signed: bool, text: str) -> None:
    assert format_percent(value, signed=signed) == text


@pytest.mark.parametrize("unit", ["s", "B", "tok/s", "tokens", "1"])
def test_the_examples_in_messages_can_be_typed(unit: Unit) -> None:
    assert parse_amount(example_amount(unit), unit) > 0


@given(st.floats(min_value=1e-6, max_value=1e5), st.sampled_from(["s", "B", "tok/s"]))
def test_what_is_written_can_be_read_back(value: float, unit: Unit) -> None:
    read = parse_amount(format_amount(value, unit), unit)
    assert math.isclose(read, value, rel_tol=0.006, abs_tol=0.51 if unit == "B" else 0)


@pytest.mark.parametrize(
    ("values", "unit", "scale"),
    [
        ([0.02, 0.3], "s", (1e-3, "ms")),
        ([0.02, 3.0], "s", (1.0, "s")),
        ([2e-6], "s", (1e-6, "µs")),
        ([1e-8], "s", (1e-6, "µs")),
        ([3 * 2**30, 5], "B", (2**30, "GiB")),
        ([12.0], "B", (1.0, "B")),
        ([40.0], "tok/s", (1.0, "tok/s")),
        ([0.5], "1", (1.0, "")),
        ([], "s", (1e-6, "µs")),
    ],
)
def test_one_unit_for_an_axis(values: list[float], unit: Unit, scale: tuple[float, str]) -> None:
    assert axis_scale(values, unit) == scale
