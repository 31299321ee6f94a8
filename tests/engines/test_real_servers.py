"""Real servers on the loopback, started by us with the demo model: what they say is what it says.

The reference is the same model in float32 under transformers, in a process of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import psutil
import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.engines.openai import OpenAIEngine
from pytest_llmbench.engines.protocol import Stamps
from pytest_llmbench.errors import CaseError
from pytest_llmbench.metrics.drift import truncated_drift
from pytest_llmbench.worker import Worker, WorkerPool
from pytest_llmbench.worker.messages import Loaded
from tests.support import DEMO_MODEL, ROOT, demo_form, variant

GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
FIXED = msgspec.structs.replace(GREEDY, max_new_tokens=40, length="fixed")
PLAIN = msgspec.structs.replace(GREEDY, chat=False)
SAMPLED = msgspec.structs.replace(GREEDY, temperature=1.8, seed=7, max_new_tokens=16)

FRANCE = (Message(role="user", content="What is the capital of France?"),)
TALK = (
    Message(role="system", content="Answer in one sentence."),
    *FRANCE,
    Message(role="assistant", content="Paris is the capital of France."),
    Message(role="user", content="What is the capital of Italy?"),
)
STORY = (Message(role="user", content="The rain fell on the"),)
MODEL = (Message(role="user", content="A model"),)


def served(kind: str) -> dict[str, object]:
    """The keys of a variant under the server *kind*."""
    if kind == "llama-cpp-python":
        command = "{python} -m llama_cpp.server --port {port} --n_ctx 1024 --n_threads 1"
        more = ["--n_threads_batch", "1", "--logits_all", "true"]
        more += ["--model", demo_form("f16.gguf")]
        alias = ["--model_alias", "{model}"]
        return {"model": "demo", "serve": [*command.split(), *alias, *more]}
    if kind == "mlx-lm":
        command = "{python} -m mlx_lm server --port {port} --model {model} --prompt-cache-size 0"
        never_end = {"logit_bias": {"0": -1000}}
        return {
            "model": demo_form("mlx-f16"),
            "serve": command.split(),
            "fixed_body": never_end,
        }
    command = "{python} -m transformers.cli.transformers serve {model} --port {port}"
    more = ["--host", "127.0.0.1", "--device", "cpu", "--dtype", "float32"]
    return {
        "model": DEMO_MODEL,
        "serve": [*command.split(), *more],
        "serve_env": {"OMP_NUM_THREADS": "1"},
    }


SERVERS = [
    pytest.param(kind, id=kind, marks=[pytest.mark.engine("openai"), pytest.mark.engine(engine)])
    for kind, engine in (
        ("llama-cpp-python", "llama-cpp"),
        ("mlx-lm", "mlx"),
        ("transformers", "transformers"),
    )
]


class Running:
    """A worker with a model, and what its loading told."""

    def __init__(self, pool: WorkerPool, engine: str, **options: object) -> None:
        self.worker: Worker = pool.open(variant("v", engine, **options))
        self.worker.start()
        self.loaded: Loaded = self.worker.load()

    def ask(self, messages: tuple[Message, ...], parameters: Parameters = GREEDY) -> Trace:
        return self.worker.generate(messages, parameters, "a test").trace


@pytest.fixture(scope="module")
def reference() -> Iterator[Running]:
    pool = WorkerPool()
    yield Running(pool, "transformers", model=DEMO_MODEL, dtype="float32", device="cpu", threads=1)
    pool.close()


@pytest.fixture(scope="module", params=SERVERS)
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    pool = WorkerPool()
    yield Running(pool, "openai", **served(request.param))
    pool.close()


@pytest.fixture
def kind(running: Running) -> str:
    facts = running.loaded.facts
    return facts.identity["profile"]


def test_the_server_is_recognized_and_its_model_s_files_are_named(
    running: Running, request: pytest.FixtureRequest
) -> None:
    facts = running.loaded.facts
    asked = request.node.callspec.params["running"]
    assert facts.identity["profile"] == asked
    assert len(facts.identity["weights"].rpartition(":")[2]) == 16
    assert str(ROOT) not in str(facts.identity)


@pytest.mark.parametrize("messages", [FRANCE, TALK], ids=["question", "talk"])
@pytest.mark.parametrize("parameters", [GREEDY, PLAIN], ids=["chat", "plain"])
def test_its_most_probable_tokens_are_those_of_the_model(
    reference: Running,
    running: Running,
    kind: str,
    messages: tuple[Message, ...],
    parameters: Parameters,
) -> None:
    """Token by token as far as both say the same; MLX writes half precision, to 1/128."""
    own = reference.ask(messages, parameters)
    wanted = reference.worker.top(messages, parameters, own.token_ids, "a test")
    found = running.worker.top(messages, parameters, (), "a test")
    if kind == "transformers":
        assert found is None, "it has no such field"
        return
    assert wanted is not None
    if not own.text:
        assert len(wanted) == 1
        return
    assert found is not None
    drifted = truncated_drift("reference", wanted, found)
    assert drifted is not None
    assert drifted.kl == pytest.approx([0.0] * len(drifted.kl), abs=0.05)
    assert sum(drifted.agrees) >= len(own.token_ids) - 2
    near = 0.02 if kind == "mlx-lm" else 0.005
    some = drifted.delta_logp[:6]
    assert some == pytest.approx([0.0] * len(some), abs=10 * near)


@pytest.mark.parametrize("messages", [FRANCE, TALK], ids=["question", "talk"])
def test_a_chat_has_the_text_and_the_tokens_of_the_model(
    running: Running, reference: Running, kind: str, messages: tuple[Message, ...]
) -> None:
    running.ask(messages)  # the counts come with the second, where they are not streamed
    mine, its = reference.ask(messages), running.ask(messages)
    assert (its.text, its.finish_reason) == (mine.text, "stop")
    assert its.prompt_tokens == mine.prompt_tokens
    end = 1 if kind == "llama-cpp-python" else 0
    assert its.output_tokens == len(mine.token_ids) - end
    assert its.arrivals == "chunks"
    assert its.first_response_ns is not None
    assert 0 < its.first_response_ns <= its.stamps_ns[0]
    assert list(its.stamps_ns) == sorted(its.stamps_ns)
    assert len(its.stamps_ns) == its.output_tokens, "a word a chunk, the end where it is counted"


def test_plain_text_is_completed(running: Running, reference: Running) -> None:
    running.ask(MODEL, PLAIN)
    mine, its = reference.ask(MODEL, PLAIN), running.ask(MODEL, PLAIN)
    assert its.text.strip() == mine.text.strip(), "mlx_lm takes a space off the beginning"
    assert (its.prompt_tokens, its.output_tokens) == (mine.prompt_tokens, 24)


def test_a_prompt_is_processed_again_in_every_round(running: Running) -> None:
    rounds = [running.ask(FRANCE) for _ in range(3)]
    assert [trace.cached_prompt_tokens for trace in rounds] == [0, 0, 0]
    assert len({trace.text for trace in rounds}) == 1


def test_the_limit_is_kept_and_named(running: Running) -> None:
    short = msgspec.structs.replace(GREEDY, max_new_tokens=2)
    running.ask(FRANCE, short)
    trace = running.ask(FRANCE, short)
    assert (trace.output_tokens, trace.finish_reason) == (2, "length")


def test_a_fixed_length_is_exact(running: Running) -> None:
    running.ask(FRANCE, FIXED)
    trace = running.ask(FRANCE, FIXED)
    assert (trace.output_tokens, trace.finish_reason) == (40, "length")
    assert trace.text.startswith("Paris is the capital of France.")


def test_seeded_sampling_repeats_and_samples(running: Running) -> None:
    texts = [running.ask(STORY, SAMPLED).text for _ in range(2)]
    other = running.ask(STORY, msgspec.structs.replace(SAMPLED, seed=8)).text
    assert texts[0] == texts[1] != other
    assert running.ask(STORY, msgspec.structs.replace(SAMPLED, temperature=0.0)).text != texts[0]


def test_a_prompt_beyond_the_context(running: Running, kind: str) -> None:
    if kind != "llama-cpp-python":
        pytest.skip("this server has no limit of the context")
    running.ask(FRANCE)
    with pytest.raises(CaseError, match="maximum context length is 1024 tokens"):
        running.ask((Message(role="user", content="word " * 1100),))
    assert running.ask(FRANCE).text


def test_its_processes_hold_the_memory_until_it_is_freed(running: Running) -> None:
    after = running.loaded.life.after_load
    assert after is not None
    assert after.host is not None
    assert after.host.rss > 20e6
    assert running.loaded.life.before.host is not None
    assert running.loaded.life.before.host.rss == 0
    worker = next(p for p in psutil.Process().children() if _has_server_below(p))
    pids = [process.pid for process in worker.children(recursive=True)]
    freed = running.worker.free().life.after_free
    assert freed is not None
    assert freed.host is not None
    assert freed.host.rss == 0
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def _has_server_below(process: psutil.Process) -> bool:
    below = process.children(recursive=True)
    return any("supervisor.py" in " ".join(child.cmdline()) for child in below)


class Engine:
    """An engine in this process, and everything that its server printed."""

    def __init__(self, **options: Any) -> None:
        self.engine = OpenAIEngine()
        self.engine.start()
        self.engine.load(options, ROOT)
        connection = self.engine._connection
        assert connection is not None
        self.url = connection.client.url
        self._server = connection._server

    def ask(self) -> int | None:
        """Return the cached tokens of a round."""
        encoded = self.engine.encode(FRANCE, GREEDY)
        stamps = Stamps(time.perf_counter_ns)
        return self.engine.generate(encoded, GREEDY, stamps).cached_prompt_tokens

    def printed(self) -> str:
        assert self._server is not None
        self._server._printed.seek(0)
        return self._server._printed.read().decode()


@pytest.mark.engine("llama-cpp")
@pytest.mark.engine("openai")
def test_llama_cpp_python_s_hidden_cache_is_flushed_and_without_that_is_hit() -> None:
    mine = Engine(**served("llama-cpp-python"))
    try:
        assert [mine.ask() for _ in range(3)] == [0, 0, 0]
        assert mine.printed().count("prefix-match hit") == 1, "that of the request that counts"
        other = Engine(model="demo", base_url=mine.url, cache_defeat="none")
        with pytest.warns(UserWarning, match="does not say whether a prompt came from its cache"):
            assert other.ask() is None
        assert other.ask() is None
        assert mine.printed().count("prefix-match hit") > 1
    finally:
        mine.engine.free()


@pytest.mark.engine("mlx")
@pytest.mark.engine("openai")
def test_mlx_lm_s_cache_is_found_out() -> None:
    keys = served("mlx-lm")
    with_its_cache = msgspec.convert(keys["serve"], list[str])[:-2]
    mine = Engine(**{**keys, "serve": with_its_cache})
    try:
        assert (mine.ask() or 0) < 3, "what every prompt begins with"
        with pytest.raises(CaseError, match=r'of 10 prompt tokens .*"--prompt-cache-size", "0"'):
            mine.ask()
        told = Engine(model=keys["model"], base_url=mine.url, cached_prompt="accept")
        told.ask()
        assert (told.ask() or 0) > 5
    finally:
        mine.engine.free()
