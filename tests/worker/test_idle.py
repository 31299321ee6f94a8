"""A worker that dies between two cases is not blamed on the next one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.config import load_config
from pytest_llmbench.domain.case import Case
from pytest_llmbench.engines import engine_options
from pytest_llmbench.runner.bench import Bench
from tests.support import bench_for
from tests.worker.conftest import ends, pid_of, stops

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

TWO = """
[variants.victim]
engine = "scripted"
[variants.other]
engine = "scripted"
[suites.exo-five]
rounds = 2
"""


Measured = tuple[Bench, dict[str, list[Case]]]


@pytest.fixture(params=[False, True], ids=["apart", "together"])
def measured(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Measured]:
    """A bench and its cases by variant."""
    (tmp_path / "llmbench.toml").write_text(TWO)
    config = load_config(tmp_path / "llmbench.toml", engine_options())
    bench, cases = bench_for(config, together=request.param)
    yield bench, cases
    bench.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_says_so_and_later_cases_are_not_run(measured: Measured, number: signal.Signals) -> None:
    bench, cases = measured
    victim, other = cases["victim"], cases["other"]
    assert bench.measure(victim[0]).error is None
    bench.lives.focus(bench.lives.ready("victim"))  # a stopped process takes no SIGTERM
    pid = pid_of(bench.lives.ready("victim").worker)
    os.kill(pid, number)
    assert ends(pid)
    first = str(bench.measure(victim[1]).error)
    assert first.startswith(
        "variant 'victim' lost its process while it was idle, before generating "
        f"{victim[1].key} (fresh buffers): it was killed by {number.name}"
    )
    later = "not run, because earlier variant 'victim' lost its process while it was idle, before"
    assert str(bench.measure(victim[2]).error).startswith(later)
    assert bench.measure(victim[0]).error is None  # measured before
    for case in other:
        assert bench.measure(case).error is None
    assert "while it was idle" in str(bench.variants["victim"].error)


def test_a_life_that_ended_early_says_so(measured: Measured) -> None:
    bench, cases = measured
    bench.measure(cases["victim"][0])
    pid = pid_of(bench.lives.ready("victim").worker)
    os.kill(pid, signal.SIGKILL)
    assert ends(pid)
    record = bench.lives.end("victim")
    assert record is not None
    assert "while it was idle, before freeing the model" in str(record.error)


def test_between_bouts_everybody_rests_but_the_last(measured: Measured) -> None:
    bench, cases = measured
    for name in ("victim", "other"):
        bench.measure(cases[name][0])
    pids = {name: pid_of(bench.lives.ready(name).worker) for name in cases}
    bench.lives.rest()
    assert stops(*pids.values())
    bench.lives.focus(bench.lives.ready("other"))
    assert stops(pids["victim"])
    assert bench.measure(cases["victim"][1]).error is None


def test_a_fresh_launch_is_another_process(measured: Measured) -> None:
    bench, cases = measured
    case = cases["victim"][0]
    bench.measure(case)
    before = pid_of(bench.lives.ready("victim").worker)
    record = bench.look_again(case, fresh=True)
    assert ends(before)
    assert pid_of(bench.lives.ready("victim").worker) != before
    assert {entry.launch for entry in record.rounds} == {0, 1}
    assert "free_s" in bench.variants["victim"].life_cycle
