"""The printed tables: intervals, scaling to a large session, alignment."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import table
from replay import PerCell, Rates
from table import Block, as_markdown, as_text, blocks, of_page, scaled, wilson

from tests.benchmarks.launches import FIELDS
from tests.support import ROOT

BLOCK = Block("A title", ("rule", "+3 %"), (("benchstat", "1"), ("asv", "100.0 %")))


class Whole:
    """A rule that judges a session as a whole."""

    def judge(self, baseline: object, now: object, fresh: object) -> set[object]:
        return set()


@pytest.mark.parametrize(
    ("rate", "count", "low", "high"),
    [
        (0.0, 10, 0.0, 0.2775),  # Newcombe 1998 and every calculator
        (0.5, 10, 0.2366, 0.7634),
        (1.0, 20, 0.8389, 1.0),
        (81 / 263, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15 / 148, 148, 0.0624, 0.1605),
        (1 / 29, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_the_published_one(
    rate: float, count: int, low: float, high: float
) -> None:
    assert wilson(rate, count) == pytest.approx((low, high), abs=6e-5)


def test_a_session_of_more_cells_has_more_chances() -> None:
    assert scaled(0.1, 24) == pytest.approx(1 - 0.9**5)
    assert scaled(0.1, 120) == pytest.approx(0.1)
    assert (scaled(0.0, 24), scaled(1.0, 24)) == (0, 1)


def some(**rates: float) -> Rates:
    fields = {"any": 0.1, "share": 0.01, "detected": 0.5, "found": 0.25, "others": 0.0}
    by_victim = {"small": [1.0, 0.0, 0.0], "large": [1.0]}
    return Rates(draws=400, cells=24, by_victim=by_victim, **{**fields, **rates})


def test_the_tables_of_a_condition() -> None:
    judges = {"peer": PerCell(lambda _baseline, _now: False), "whole": Whole()}
    rates = {(name, at): some() for name in judges for at in table.SLOWDOWNS}
    alarms, detected, found, others = blocks(judges, rates)
    assert alarms.headings == ("rule", "per comparison", "per session (24 cells)", "per 120 cells")
    assert alarms.rows[0][1:3] == ("1.0 % (0.4–2.5)", "10.0 % (7.4–13.3)")
    assert alarms.rows[0][3].startswith("41.0 % (")
    assert alarms.rows[1][3] == "= 10.0 % (7.4–13.3)"
    assert detected.headings == found.headings == (
        "rule", "+0 %", "+3 %", "+5 %", "+10 %", "+20 %",
    )  # fmt: skip
    assert detected.rows[0][1] == "50.0 % (45.1–54.9)"
    assert found.rows[0][1].startswith("25.0 %")
    assert others.rows[0][5] == "0.0 % (0.0–1.0)"


def test_the_tables_of_the_page_are_of_all_conditions() -> None:
    found = {
        condition: {("ours", at): some(any=wolf, others=at / 10) for at in table.SLOWDOWNS}
        for condition, wolf in (("quiet", 0.0), ("bursty", 1.0))
    }
    wolf, slow, by_victim = of_page(found, ["ours"])
    assert wolf.headings[1:] == ("quiet: accuses unchanged code", "bursty: accuses unchanged code")
    assert wolf.rows == (("**ours**", "0.0 % (0.0–1.0)", "100.0 % (99.0–100.0)"),)
    assert slow.headings[3:] == ("+3 %", "+5 %", "+10 %", "+20 %")
    detected = ("50.0 %",) * 4
    assert slow.rows == (
        ("**ours**", "quiet", "2.0 %", *detected),
        ("**ours**", "bursty", "2.0 %", *detected),
    )
    assert by_victim.headings[2:] == ("variant", "+3 %", "+5 %", "+10 %", "+20 %")
    assert by_victim.rows[:2] == (
        ("**ours**", "quiet", "large", *("1 of 1",) * 4),
        ("**ours**", "quiet", "small", *("1 of 3",) * 4),
    )


def test_text_is_aligned() -> None:
    assert as_text(BLOCK).splitlines() == [
        "A title",
        "  rule          +3 %",
        "  benchstat        1",
        "  asv        100.0 %",
    ]


def test_markdown_is_a_table() -> None:
    assert as_markdown(BLOCK).splitlines() == [
        "**A title**",
        "",
        "| rule | +3 % |",
        "| --- | --: |",
        "| benchstat | 1 |",
        "| asv | 100.0 % |",
    ]


def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "benchmarks" / "verdicts" / "table.py"
    return subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True)


def test_the_command_prints_a_condition(tmp_path: Path) -> None:
    rounds = [[0.1 * place] * len(FIELDS) for place in range(1, 5)]
    line = json.dumps({"fields": FIELDS, "reference": "v", "rounds": {"v": {"p": rounds}}})
    (tmp_path / "quiet.jsonl").write_text(f"{line}\n" * 3)
    done = typed(
        "--recordings", str(tmp_path), "--baseline=1", "--draws=2", "--rule=asv", "--markdown"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("### Quiet\n\n2 draws from 3 sessions: 1 as baseline, one in")
    assert "| asv | 0.0 % (0.0–65.8) | 0.0 % (0.0–65.8) |" in done.stdout
    assert "Wilson" in done.stdout


def test_the_command_answers_a_wrong_name_with_the_right_ones() -> None:
    done = typed("--rule=wrong")
    assert done.returncode == 1
    assert "there is no rule 'wrong'; write one of: pytest-benchmark-mean" in done.stderr


@pytest.mark.parametrize("option", ["--planted=0", "--draws=-1"])
def test_the_command_needs_a_draw_of_each_kind(option: str) -> None:
    done = typed(option)
    assert done.returncode == 2
    assert "is less than 1, which is needed at least" in done.stderr
