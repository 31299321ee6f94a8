"""One model under three engines says one thing: same prompts, same greedy texts, same counts.

The demo model in float32 and in its 16-bit forms; every prompt of two built-in suites. A text may
differ where two tokens are nearly as likely: in one of ten at most.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator

import pytest

from pytest_llmbench.config import read_builtin
from pytest_llmbench.config.place import Place
from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.worker import Worker, WorkerPool
from tests.support import DEMO_MODEL, demo_form, variant

ENGINES = ("transformers", "llama-cpp", "mlx")
pytestmark = [pytest.mark.engine(name) for name in ENGINES]

GREEDY = Parameters(
    max_new_tokens=64, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
PROMPTS = [
    prompt for suite in ("exo-five", "tasks") for prompt in read_builtin(suite, Place("this test"))
]
AGREEING = 0.9
PAIRS = list(itertools.combinations(ENGINES, 2))

Traces = dict[str, list[Trace]]


def options(engine: str) -> dict[str, object]:
    return {
        "transformers": {
            "model": DEMO_MODEL,
            "dtype": "float32",
            "device": "cpu",
            "threads": 1,
        },
        "llama-cpp": {"model": demo_form("f16.gguf"), "device": "cpu", "threads": 1},
        "mlx": {"model": demo_form("mlx-f16"), "device": "cpu"},
    }[engine]


@contextlib.contextmanager
def loaded(engine: str) -> Iterator[Worker]:
    pool = WorkerPool()
    try:
        worker = pool.open(variant(engine, engine, **options(engine)))
        worker.start()
        worker.load()
        yield worker
    finally:
        pool.close()


@pytest.fixture(scope="module")
def traces() -> Traces:
    """What each engine answers to every prompt."""
    found = {}
    for engine in ENGINES:
        with loaded(engine) as worker:
            found[engine] = [worker.generate(p.messages, GREEDY, p.id).trace for p in PROMPTS]
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_a_round_in_slices_says_the_same(traces: Traces, engine: str) -> None:
    """It pauses for longer than a whole round takes: pauses are in no stamp."""
    with loaded(engine) as worker:
        for prompt, whole in list(zip(PROMPTS, traces[engine], strict=True))[:3]:
            slices = worker.generate_in_slices(prompt.messages, GREEDY, prompt.id, slice_tokens=8)
            pauses = 0
            try:
                while True:
                    next(slices)
                    worker.suspend(again=pauses > 0)
                    time.sleep(0.5)
                    pauses += 1
            except StopIteration as end:
                trace = end.value.trace
            assert (trace.token_ids, trace.text) == (whole.token_ids, whole.text)
            assert pauses == 1 + (len(trace.token_ids) - 1) // 8
            own = trace.timings
            assert own is None or own.decode_s is None or own.decode_s < 0.5 * pauses
            gaps = [b - a for a, b in itertools.pairwise(trace.stamps_ns)]
            assert all(0 < gap < 0.5e9 for gap in gaps)


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=str)
def test_prompts_have_the_same_tokens(traces: Traces, one: str, other: str) -> None:
    counts = [[trace.prompt_tokens for trace in traces[name]] for name in (one, other)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=str)
def test_greedy_texts_are_the_same(traces: Traces, one: str, other: str) -> None:
    pairs = list(zip(traces[one], traces[other], strict=True))
    differing = [(a.text, b.text) for a, b in pairs if a.text != b.text]
    assert len(pairs) >= 50
    assert len(differing) <= (1 - AGREEING) * len(pairs), differing


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=str)
def test_equal_texts_have_the_same_tokens_and_end_alike(
    traces: Traces, one: str, other: str
) -> None:
    for a, b in zip(traces[one], traces[other], strict=True):
        if a.text == b.text:
            assert (a.token_ids, a.output_tokens) == (b.token_ids, b.output_tokens)
            assert a.finish_reason == b.finish_reason


def test_the_model_means_something(traces: Traces) -> None:
    """Else agreement would be easy: most prompts have an answer of their own, which ends."""
    texts = [trace.text for trace in traces["transformers"]]
    assert len(set(texts)) > 0.8 * len(texts)
    ended = [trace.finish_reason == "stop" for trace in traces["transformers"]]
    assert sum(ended) > 0.8 * len(ended)
