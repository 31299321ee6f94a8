"""Two ways to generate, taken in turns: a bare script in a process of its own, and a worker."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.worker import Worker, WorkerPool

ROOT = Path(__file__).parent.parent
Figures = Mapping[str, float]
Generate = Callable[[], Figures]


@contextlib.contextmanager
def bare_script(program: str, *arguments: str) -> Iterator[Generate]:
    """Yield a call that generates once in *program* and returns its figures.

    The program prints "ready" once, then for every line that it reads a JSON object. Between
    calls its process is stopped, so that its threads disturb nothing.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout, handle = process.stdin, process.stdout, psutil.Process(process.pid)
    assert stdout.readline() == "ready\n", "the bare script did not start"
    handle.suspend()

    def generate() -> Figures:
        handle.resume()
        stdin.write("go\n")
        stdin.flush()
        figures: Figures = json.loads(stdout.readline())
        handle.suspend()
        return figures

    try:
        yield generate
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def worker_of(engine: str, **options: object) -> Iterator[Worker]:
    """Yield a worker with the model loaded, stopped between its rounds."""
    pool = WorkerPool()
    variant = Variant(
        id=engine,
        engine=engine,
        options=options,
        base_dir=ROOT,
        python=None,
        host=None,
        load_timeout_s=300.0,
        round_timeout_s=300.0,
        gates=Gates(),
    )
    worker = pool.open(variant)
    try:
        worker.start()
        worker.load()
        worker.suspend()
        yield worker
    finally:
        pool.close()


def one_round(worker: Worker, prompt: str, tokens: int, *, fixed: bool = True) -> Trace:
    """Return the trace of one greedy round of *tokens* tokens."""
    parameters = Parameters(
        max_new_tokens=tokens,
        temperature=0.0,
        seed=0,
        top_p=1.0,
        top_k=0,
        length="fixed" if fixed else "natural",
        chat=None,
    )
    trace = worker.generate((Message(role="user", content=prompt),), parameters, "a round").trace
    worker.suspend()
    return trace


def in_turns(ours: Generate, theirs: Generate, rounds: int) -> list[tuple[Figures, Figures]]:
    """Return *rounds* pairs of figures, ours first; who begins changes, one round warms up."""
    ours(), theirs()
    pairs = []
    for number in range(rounds):
        if number % 2:
            other = theirs()
            pairs.append((ours(), other))
        else:
            mine = ours()
            pairs.append((mine, theirs()))
    return pairs


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def spread(values: Sequence[float], form: str = ".4f") -> str:
    """Return the median with the quartiles around it."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"
