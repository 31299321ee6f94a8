"""What a session writes for others: exports, the step's summary, properties; and the table."""

from __future__ import annotations

import csv
import io
import json
import re
import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_llmbench.plugin.step_summary import LIMIT, VARIABLE
from pytest_llmbench.report.exports.registry import EXPORTS
from pytest_llmbench.report.results import read_results
from tests.plugin.conftest import Project

CLOCK = ("benchmark-json",)
"""Formats that hold the time at which they were written."""


@pytest.fixture
def summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that CI shows as the step's summary, with what was in it before."""
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv(VARIABLE, str(path))
    return path


def test_every_format_is_written_from_one_session(small: Project) -> None:
    options = [f"--llmbench-{export.name}=out/{export.name}.txt" for export in EXPORTS]
    result = small.run("--llmbench-json=out.json", *options)
    assert result.ret == 0
    told = read_results(small.root / "out.json")
    for export in EXPORTS:
        result.stdout.fnmatch_lines([f"wrote out/{export.name}.txt"])
        written = small.text(f"out/{export.name}.txt")
        if export.name not in CLOCK:
            assert written.replace("\r\n", "\n") == export.render(told).replace("\r\n", "\n")
    assert len(json.loads(small.text("out/benchmark-json.txt"))["benchmarks"]) == 4 * 3 + 2


def test_they_can_be_named_in_the_ini_file(small: Project) -> None:
    small.with_files(
        pytest_ini="[pytest]\nllmbench_machine = box\nllmbench_csv = out.csv\n"
        "llmbench_github_smaller = out.json\n"
    )
    small.run()
    rows = list(csv.DictReader(io.StringIO(small.text("out.csv"))))
    assert {row["variant"] for row in rows} == {"fast", "slow"}
    assert json.loads(small.text("out.json"))


def test_a_format_that_can_not_be_written_at_the_end_fails_the_run(small: Project) -> None:
    small.with_files(
        test_a_py="import pathlib\ndef test_a(llmbench):\n"
        "    llmbench()\n    pathlib.Path('out').write_text('in the way')\n"
    )
    result = small.run("test_a.py", "--llmbench-csv=out/out.csv", "-k", "fast-paris")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["error: --llmbench-csv=*out.csv can't be written: *"])


def test_the_summary_gets_the_report_at_its_end_once(small: Project, summary: Path) -> None:
    result = small.run("--llmbench-markdown=out.md")
    result.stdout.fnmatch_lines(["wrote out.md", "added to the step's summary"])
    assert summary.read_text() == f"before\n\n{small.text('out.md')}"


def test_named_as_the_markdown_it_is_not_overwritten(small: Project, summary: Path) -> None:
    small.run(f"--llmbench-markdown={summary}")
    assert summary.read_text().startswith("before\n\n## llmbench: ")
    assert summary.read_text().count("## llmbench: ") == 1


def test_without_the_flag_the_summary_is_left_alone(small: Project, summary: Path) -> None:
    small.run_plain()
    assert summary.read_text() == "before\n"


def test_nothing_measured_adds_nothing(small: Project, summary: Path) -> None:
    small.run("--collect-only")
    small.run("-k", "nothing-of-that-name")
    assert summary.read_text() == "before\n"


def test_an_empty_variable_turns_it_off(small: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert "summary" not in str(small.run().stdout)


def test_a_summary_that_is_full_stays_as_it_is(small: Project, summary: Path) -> None:
    summary.write_text("x" * (LIMIT - 100))
    result = small.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["not added to the step's summary: GITHUB_STEP_SUMMARY is full*"])
    assert summary.stat().st_size == LIMIT - 100


def test_a_summary_with_little_room_gets_little(small: Project, summary: Path) -> None:
    summary.write_text("x" * (LIMIT - 2600))
    small.run()
    assert LIMIT - 2600 < summary.stat().st_size <= LIMIT
    assert "Left out to fit" in summary.read_text()


def test_a_summary_that_can_not_be_written_is_said_and_no_failure(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(small.root))
    result = small.run()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["not added to the step's summary: Is a directory*"])


def properties(project: Project) -> dict[str, dict[str, str]]:
    tree = ElementTree.parse(project.root / "out.xml")
    return {
        case.attrib["name"]: {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}
        for case in tree.iter("testcase")
    }


def test_junit_xml_carries_the_metrics(small: Project) -> None:
    document = small.run_json("--junitxml=out.xml")
    told = properties(small)
    (case,) = [c for c in document["cases"] if c["id"] == "small/slow-paris-n64-t0"]
    found = told["slow-paris-n64-t0"]
    assert found.pop("llmbench.case") == case["id"]
    assert {name: float(value) for name, value in found.items()} == {
        f"llmbench.{name}": metric["value"] for name, metric in case["metrics"].items()
    }
    assert told["slow"]["llmbench.variant"] == "slow"
    assert float(told["slow"]["llmbench.load_s"]) >= 0


def test_a_failed_test_has_them_too_and_others_have_none(small: Project) -> None:
    small.with_files(
        test_a_py="def test_fails(llmbench):\n    llmbench()\n    assert False\n"
        "def test_other(): pass\n"
    )
    small.run("test_a.py", "--junitxml=out.xml", "-k", "fast-paris or other")
    told = properties(small)
    assert "llmbench.ttft_s" in told["test_fails[fast-paris-n64-t0]"]
    assert told["test_other"] == {}


def test_a_test_that_runs_again_has_them_once(small: Project) -> None:
    small.with_files(
        conftest_py="from _pytest.runner import runtestprotocol\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    item.user_properties.append(('mine', 1))\n"
        "    runtestprotocol(item, nextitem=nextitem, log=False)\n"
    )
    small.run("--junitxml=out.xml", "-k", "fast-paris")
    tree = ElementTree.parse(small.root / "out.xml")
    names = [p.attrib["name"] for p in tree.iter("property")]
    assert names.count("llmbench.ttft_s") == names.count("mine") == 1


def table(result: pytest.RunResult) -> list[str]:
    """The lines of the table below its rule."""
    lines = [line for line in str(result.stdout).split("\n") if line]
    start = next(n for n, line in enumerate(lines) if set(line) == {"─"})
    end = next(n for n, line in enumerate(lines) if n > start and line.startswith("verdicts:"))
    return lines[start - 1 : end]


def test_groups(small: Project) -> None:
    columns = "--llmbench-columns=cases,verdict"
    by_task = table(small.run("--llmbench-group=task", columns))
    assert by_task[0].split() == ["variant", "task", "cases", "verdict"]
    assert [line.split()[:2] for line in by_task[2:]] == [
        ["fast", "qa"],
        ["slow", "qa"],
        ["fast", "no"],
        ["slow", "no"],
    ]
    whole = table(small.run("--llmbench-group=variant", columns))
    assert [line.split() for line in whole] == [
        ["variant", "cases", "verdict"],
        ["─" * len(whole[1])],
        ["fast", "2", "new", "2/2"],
        ["slow", "2", "new", "2/2"],
    ]


def test_columns_of_any_metric_and_order(small: Project) -> None:
    shown = table(small.run("--llmbench-columns=output_tokens,itl_s", "--llmbench-sort=-itl_s"))
    assert shown[0].split() == ["variant", "suite", "output_tokens", "itl_s"]
    assert [line.split()[0] for line in shown[2:]] == ["slow", "fast"]
    best_first = table(small.run("--llmbench-columns=itl_s", "--llmbench-sort=decode_tps"))
    assert [line.split()[0] for line in best_first[2:]] == ["fast", "slow"]


def test_speed_and_history_beside_the_usual_columns(small: Project) -> None:
    small.with_files(
        pytest_ini="[pytest]\nllmbench_machine = box\nllmbench_columns = +speed, +history\n"
    )
    for _ in range(3):
        small.run("--llmbench-save")
    result = small.run()
    shown = table(result)
    assert re.search(r"score +speed +history +verdict", shown[0]), shown
    (fast,) = [line for line in shown if line.startswith("fast")]
    (slow,) = [line for line in shown if line.startswith("slow")]
    assert re.search(r" 1× +[▁▂▃▄▅▆▇█]{4}  ", fast), fast
    assert re.search(r" 0\.\d+× ", slow), slow


def test_without_a_terminal_nothing_is_coloured(small: Project) -> None:
    assert "\x1b" not in str(small.run("--llmbench-columns=+speed").stdout)


def test_a_written_report_may_be_read_by_others(small: Project) -> None:
    small.run("--llmbench-csv=out.csv")
    assert stat.S_IMODE((small.root / "out.csv").stat().st_mode) & 0o444 == 0o444
