"""The terminal table: whole, at several widths, and with names that nobody should give."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.drift import Drift
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.columns import verdict_cell
from pytest_llmbench.report.names import cells, folded
from pytest_llmbench.report.rows import session_rows
from pytest_llmbench.report.table import render_table

from .facts import HOSTILE, MEASURED, MIB, case, example, life, new, ok, regressed, session, verdict

LONG = "meta-llama_Llama-3.2-1B-Instruct-abliterated-Q4_K_M"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def table(record, width=120, *, color=False):
    return render_table(session_rows(record), width=width, color=color)


def on_a_device():
    metrics = MEASURED | {"device_alloc_peak_bytes": 15.7 * 1024 * MIB}
    inconclusive = verdict(VerdictKind.INCONCLUSIVE, "itl_s")
    return session(
        [
            case(inconclusive, variant=LONG, suite="customer-support-2025", metrics=metrics),
            case(error="it died", variant="b"),
            case(variant="b", prompt="q"),
        ],
        [life("b"), life("gone", error="no model", loaded=False)],
    )


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_two_variants_on_two_suites(golden, width):
    golden(f"table-{width}", table(example(), width))


@pytest.mark.parametrize("width", [80, 120])
def test_device_and_long_names(golden, width):
    golden(f"table-device-{width}", table(on_a_device(), width))


def test_all_errors_shows_no_empty_columns(golden):
    record = session(
        [case(error="it died", prompt=p) for p in "ab"], [life(error="it died", loaded=False)]
    )
    golden("table-errors", table(record, 80))


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("record", [example(), on_a_device()], ids=["example", "device"])
def test_no_line_is_wider_than_the_terminal(record, width):
    assert max(map(cells, table(record, width).splitlines())) <= width


def test_too_narrow_for_anything_still_shows_names_and_verdicts():
    shown = table(example(), 5)
    assert "regressed" in shown
    assert "base-fp16" in shown


def test_what_is_left_out_is_said():
    assert table(example(), 60).splitlines()[-1] == "(left out here: output tok/s, load, latency)"
    assert "left out" not in table(example(), 120)


def test_without_a_device_its_column_is_absent_at_any_width():
    assert "device" not in table(example(), 300)
    assert "device" in table(on_a_device(), 300)


def test_no_rows_no_text():
    assert render_table((), width=80, color=False) == ""


def test_a_case_without_metrics_shows_dashes():
    shown = table(session([case(metrics={}), case(prompt="q", suite="tasks")]))
    first, second = shown.splitlines()[3:]
    assert first.split() == ["base-fp16", "exo-five", "–", "–", "–", "–", "–", "–"]
    assert second.split()[2:5] == ["12.3", "ms", "50.4"]


def test_without_color_there_is_no_escape():
    assert "\x1b" not in table(example())


def test_color_changes_nothing_but_color():
    colored = table(example(), color=True)
    assert "\x1b[1;31mregressed 3/5" in colored
    stripped = [line.rstrip() for line in ESCAPE.sub("", colored).splitlines()]
    assert stripped == table(example()).splitlines()


@pytest.mark.parametrize(
    "variables",
    [{"FORCE_COLOR": "1"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "20", "LINES": "3"}],
    ids=str,
)
@pytest.mark.parametrize("color", [True, False])
def test_the_environment_has_no_say(monkeypatch, variables, color):
    expected = table(example(), color=color)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert table(example(), color=color) == expected


@pytest.mark.parametrize("width", [80, 200])
def test_hostile_names_are_harmless_text(width):
    record = session([case(ok(), variant=HOSTILE, suite=HOSTILE)], [life(HOSTILE)])
    shown = table(record, width)
    assert not set("\x1b\x00\x9b\u202e\u2028\ud800\r") & set(shown)
    joined = "".join(shown.split())
    assert "[red]" in joined
    assert ":smile:" in joined
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("cases", "of_life", "expected"),
    [
        ([ok(), regressed()], (), "regressed 1/2"),
        ([ok(), ok()], (), "ok 2/2"),
        ([ok(), ok()], (regressed("rss_after_load_bytes"),), "regressed (life)"),
        ([ok(), regressed()], (regressed("rss_after_load_bytes"),), "regressed 1/2"),
        ([ok(), ok()], (new("variant v"),), "ok 2/2"),
        ([ok(), ok()], (ok(),), "ok 2/2"),
    ],
)
def test_the_verdict_never_says_ok_while_the_variant_regressed(cases, of_life, expected):
    judged = [case(said, prompt=str(n)) for n, said in enumerate(cases)]
    (row,) = session_rows(session(judged, [life("base-fp16", *of_life)]))
    assert verdict_cell(row)[1] == expected


def test_nothing_said_is_a_dash():
    (row,) = session_rows(session([case()]))
    assert verdict_cell(row) == (None, "–")


@pytest.mark.parametrize(
    ("name", "width", "expected"),
    [
        ("base-fp16", None, "base-fp16"),
        ("base-fp16", 9, "base-fp16"),
        ("base-fp16", 8, "base-\nfp16"),
        ("abcdefgh", 3, "abc\ndef\ngh"),
        ("日本語", 4, "日本\n語"),
        ("a b", 2, "a\nb"),
        ("Llama-3.2-1B", 7, "Llama-\n3.2-1B"),
        ("--", 1, "-\n-"),
        ("", 1, ""),
    ],
)
def test_names_break_at_their_joints(name, width, expected):
    assert folded(name, width) == expected


@given(st.text(alphabet="ab1-_./ 日", max_size=30), st.integers(2, 12))
def test_folding_loses_nothing_and_keeps_the_width(name, width):
    lines = folded(name, width).split("\n")
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert all(cells(line) <= width for line in lines)


def test_a_variant_without_cases_has_its_lifes_verdict_alone():
    rows = session_rows(session(variants=[life("gone", error="no model", loaded=False)]))
    assert verdict_cell(rows[0]) == (VerdictKind.ERROR, "error")


@pytest.mark.parametrize(
    ("kl", "words"), [(0.0, "0"), (9e-7, "0"), (1.44e-3, "0.0014"), (0.445, "0.45"), (12.0, "12")]
)
def test_drift_has_columns_where_there_is_any(kl, words):
    judged = case(variant="q8")
    found = Drift(to="base", kl=(kl,) * 2, agrees=(True, False), delta_p=(0, 0), delta_logp=(0, 0))
    drifted = msgspec.structs.replace(
        judged, record=msgspec.structs.replace(judged.record, drift=found)
    )
    shown = table(session([case(variant="base"), drifted], [life("base"), life("q8")]), 140)
    assert re.search(r"\bKL +verdict\b", shown)
    (row,) = [line for line in shown.splitlines() if line.startswith("q8")]
    assert re.search(rf" {words}  ", row)
    assert "KL" not in table(example(), 140)
