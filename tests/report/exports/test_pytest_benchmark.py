"""pytest-benchmark's JSON: its own command reads it and compares two of them."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import pytest_benchmark
from pytest_benchmark.stats import Stats

from pytest_llmbench.domain.record import Invocation
from pytest_llmbench.report.exports.pytest_benchmark import FORMAT, render
from pytest_llmbench.report.results import session_results
from tests.report.exports.facts import results, rich
from tests.report.facts import session

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def document(told=None) -> dict:
    return json.loads(render(told or results(), clock=lambda: WHEN))


def compare(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to load" not in done.stdout + done.stderr
    return done.stdout


def test_its_own_command_compares_two_sessions(tmp_path: Path) -> None:
    slower = session_results(session([rich(variant="v", rounds=(0.030, 0.030, 0.030))]))
    before = session_results(session([rich(variant="v", rounds=(0.010, 0.010, 0.010))]))
    (tmp_path / "before.json").write_text(render(before))
    (tmp_path / "now.json").write_text(render(slower))
    shown = compare(tmp_path, "before.json", "now.json")
    assert "benchmark 'ttft_s': 2 tests" in shown
    assert "benchmark 'latency_s': 2 tests" in shown
    assert "v-sum-n64-t0[ttft_s] (before" in shown
    assert "10.0000 (1.0)" in shown
    assert "30.0000 (3.00)" in shown
    between = compare(tmp_path, "before.json", "now.json", "--between=mean")
    assert "+200.0%" in between


def test_groups_by_what_a_case_is_made_of(tmp_path: Path) -> None:
    (tmp_path / "now.json").write_text(render(results()))
    shown = compare(tmp_path, "now.json", "--group-by=group,param:prompt", "--sort=mean")
    assert "benchmark 'ttft_s prompt=sum': 2 tests" in shown
    table = tmp_path / "out.csv"
    compare(tmp_path, "now.json", f"--csv={table}")
    assert "int8-sum-n64-t0[ttft_s]" in table.read_text()


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    (tmp_path / "now.json").write_text(render(results()))
    assert not set("\x1b\u202e\x9b") & set(compare(tmp_path, "now.json"))


def test_the_format_is_that_of_the_pinned_version() -> None:
    assert pytest_benchmark.__version__ == FORMAT, "read its sources again"


def test_figures_are_its_own() -> None:
    theirs = Stats()
    for value in (0.02, 0.03, 0.025):
        theirs.update(value)
    (ours,) = [
        b for b in document()["benchmarks"] if b["fullname"].endswith("int8-sum-n64-t0[ttft_s]")
    ]
    expected = {**theirs.as_dict(), "data": theirs.data, "iterations": 1}
    assert ours["stats"].pop("data") == expected.pop("data")
    assert ours["stats"] == pytest.approx(expected)


def test_the_top() -> None:
    told = document()
    assert told["datetime"] == "2026-01-02T03:04:05+00:00"
    assert told["commit_info"] == {"id": "unversioned"}
    assert told["machine_info"]["context"] == {"torch": "2.12.0"}


def test_the_time_is_the_session_s_where_it_is_known() -> None:
    asked = Invocation(
        command=("pytest", "--llmbench"),
        started_at="2025-05-06T07:00:00+00:00",
        ended_at="2025-05-06T07:08:09+00:00",
        compared_with="nothing",
    )
    told = msgspec.structs.replace(results(), invocation=asked)
    assert document(told)["datetime"] == "2025-05-06T07:08:09+00:00"


def test_a_benchmark() -> None:
    (load,) = [b for b in document()["benchmarks"] if b["fullname"] == "int8[load_s]"]
    assert load["group"] == "load_s"
    assert load["stats"]["rounds"] == 1
    ttft = document()["benchmarks"][0]
    assert ttft["name"] == "base-fp16-sum-n64-t0[ttft_s]"
    assert ttft["fullname"] == "tasks/base-fp16-sum-n64-t0[ttft_s]"
    assert ttft["params"]["variant"] == ttft["param"] == "base-fp16"
    assert ttft["extra_info"] == {
        "decode_tps": 50.0,
        "score": 1.0,
        "kl_mean": 0.25,
        "rss_peak_bytes": 412 * 2**20,
        "verdict": "ok",
    }
