"""A worker that dies between two cases is not blamed on the next one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.config import load_config
from pytest_llmbench.engines import engine_options
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.plan import suite_cases
from pytest_llmbench.runner.progress import Quiet
from tests.worker.conftest import ends, pid_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

TWO = """
[variants.victim]
engine = "scripted"
[variants.other]
engine = "scripted"
[suites.exo-five]
rounds = 2
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "llmbench.toml").write_text(TWO)
    bench = Bench(load_config(tmp_path / "llmbench.toml", engine_options()), Quiet(), processors=2)
    yield bench
    bench.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_says_so_and_later_cases_are_not_run(bench: Bench, number: signal.Signals) -> None:
    cases = suite_cases(bench._config.suites["exo-five"], ["victim"])
    others = suite_cases(bench._config.suites["exo-five"], ["other"])
    assert bench.measure(cases[0]).error is None
    pid = pid_of(bench._live["victim"].worker)
    os.kill(pid, number)
    assert ends(pid)
    first = str(bench.measure(cases[1]).error)
    assert first.startswith(
        "variant 'victim' lost its process while it was idle, before generating "
        f"{cases[1].key} (memory pass): it was killed by {number.name}"
    )
    later = "not run, because earlier variant 'victim' lost its process while it was idle, before"
    assert str(bench.measure(cases[2]).error).startswith(later)
    assert bench.measure(cases[0]).error is None  # measured before
    assert bench.measure(others[0]).error is None
    assert "while it was idle" in str(bench.variants["victim"].error)


def test_a_life_that_ended_early_says_so(bench: Bench) -> None:
    case = suite_cases(bench._config.suites["exo-five"], ["victim"])[0]
    bench.measure(case)
    pid = pid_of(bench._live["victim"].worker)
    os.kill(pid, signal.SIGKILL)
    assert ends(pid)
    record = bench.end_variant("victim")
    assert record is not None
    assert "while it was idle, before freeing the model" in str(record.error)
