"""What every engine promises, asked of each through a real worker."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.errors import CaseError
from pytest_llmbench.worker import Worker, WorkerPool
from tests.support import DEMO_MODEL, variant

GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
SAMPLED = msgspec.structs.replace(GREEDY, temperature=1.5, seed=7)
FIXED = msgspec.structs.replace(GREEDY, max_new_tokens=40, length="fixed")

ENGINES = [
    pytest.param(("scripted", {}), id="scripted"),
    pytest.param(("scripted", {"work": 20}), id="scripted-work"),
    pytest.param(
        ("transformers", {"model": DEMO_MODEL, "dtype": "float32", "device": "cpu"}),
        id="transformers",
        marks=pytest.mark.engine("transformers"),
    ),
]


@pytest.fixture(scope="module", params=ENGINES)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    engine, options = request.param
    pool = WorkerPool()
    worker = pool.open(variant("v", engine, **options))
    worker.start()
    worker.load()
    yield worker
    pool.close()


def ask(worker: Worker, text: str, parameters: Parameters = GREEDY) -> Trace:
    return worker.generate((Message(role="user", content=text),), parameters, "a test").trace


QUESTION = "What is the capital of France?"


def test_there_is_one_stamp_a_token_and_time_never_falls(worker: Worker) -> None:
    trace = ask(worker, QUESTION)
    assert len(trace.stamps_ns) == len(trace.token_ids) > 1
    assert trace.stamps_ns[0] > 0
    assert list(trace.stamps_ns) == sorted(trace.stamps_ns)


def test_greedy_repeats(worker: Worker) -> None:
    one, other = ask(worker, QUESTION), ask(worker, QUESTION)
    assert one.token_ids == other.token_ids
    assert one.text == other.text


def test_a_natural_answer_ends_by_itself_and_shows_no_special_token(worker: Worker) -> None:
    trace = ask(worker, QUESTION)
    assert trace.finish_reason == "stop"
    assert len(trace.token_ids) < 24
    assert "<|" not in trace.text


def test_the_limit_is_kept_and_named(worker: Worker) -> None:
    trace = ask(worker, QUESTION, msgspec.structs.replace(GREEDY, max_new_tokens=2))
    assert len(trace.token_ids) == 2
    assert trace.finish_reason == "length"


def test_fixed_length_is_exact(worker: Worker) -> None:
    trace = ask(worker, QUESTION, FIXED)
    assert len(trace.token_ids) == 40
    assert trace.finish_reason == "length"


def test_one_token_is_enough(worker: Worker) -> None:
    assert (
        len(ask(worker, QUESTION, msgspec.structs.replace(GREEDY, max_new_tokens=1)).stamps_ns) == 1
    )


def test_seeded_sampling_repeats(worker: Worker) -> None:
    assert ask(worker, QUESTION, SAMPLED).token_ids == ask(worker, QUESTION, SAMPLED).token_ids


def test_the_prompt_s_tokens_are_counted_and_processed_each_time(worker: Worker) -> None:
    short, long = ask(worker, "Hello."), ask(worker, "Hello. " * 30)
    assert long.prompt_tokens > short.prompt_tokens + 25
    assert long.cached_prompt_tokens == 0


def test_a_prompt_beyond_the_context_is_refused_and_the_next_one_runs(worker: Worker) -> None:
    loaded = worker.variant
    if loaded.engine == "scripted":
        pytest.skip("the script has no context limit here")
    with pytest.raises(
        CaseError, match=r"tokens and max_new_tokens = 24 make .*shorten the prompt"
    ):
        ask(worker, "word " * 3000)
    assert ask(worker, QUESTION).text
