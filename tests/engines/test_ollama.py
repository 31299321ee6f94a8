"""The ollama engine against a server of ours: what it loads, asks and measures."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import EngineTimings, Trace
from pytest_llmbench.engines.ollama import OllamaOptions
from pytest_llmbench.errors import CaseError, EngineNotInstalledError
from pytest_llmbench.worker import Worker, WorkerPool
from tests.engines.ollama_server import Model, OllamaServer, Script
from tests.support import variant

pytestmark = pytest.mark.engine("ollama")

GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
QUESTION = "What is the capital of France?"
NUMBERS = itertools.count()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[OllamaServer]:
    """A server; its script by ``parametrize(..., indirect=True)``."""
    with OllamaServer(Script(**getattr(request, "param", {}))) as server:
        yield server


def opened(pool: WorkerPool, url: str, **options: object) -> Worker:
    name = f"v{next(NUMBERS)}"
    worker = pool.open(variant(name, "ollama", **{"model": "demo", "base_url": url, **options}))
    worker.start()
    return worker


def ask(worker: Worker, text: str, **changed: Any) -> Trace:
    parameters = msgspec.structs.replace(GREEDY, **changed)
    return worker.generate((Message(role="user", content=text),), parameters, "a test").trace


scripts = pytest.mark.parametrize


@scripts("server", [{"gpu_share": 0.5}], indirect=True)
def test_what_is_loaded_is_told(pool: WorkerPool, server: OllamaServer) -> None:
    worker = opened(pool, server.url, context=2048, threads=3, gpu_layers=7, batch=64)
    facts = worker.load().facts
    assert facts.identity == {
        "model": "demo:latest",
        "weights": "ab" * 32,
        "family": "llama",
        "parameters": "3.6M",
        "quantization": "Q4_K_M",
        "context": "2048",
        "device": "gpu",
    }
    assert facts.settings["ollama"] == "0.34.0"
    assert facts.settings["gpu_share"] == "50%"
    options = {"num_batch": 64, "num_ctx": 2048, "num_gpu": 7, "num_thread": 3}
    assert json.loads(facts.settings["options"]) == options
    assert (facts.model_bytes, facts.context_tokens, facts.device) == (7_000_000, 2048, "server")


def test_a_round_has_stamps_counts_and_the_server_s_figures(
    pool: WorkerPool, server: OllamaServer
) -> None:
    worker = opened(pool, server.url)
    worker.load()
    trace = ask(worker, QUESTION)
    assert trace.text == "The capital of France is Paris."
    assert trace.arrivals == "chunks"
    assert trace.first_response_ns is not None
    assert 0 < trace.first_response_ns <= trace.stamps_ns[0]
    assert list(trace.stamps_ns) == sorted(trace.stamps_ns)
    assert len(trace.stamps_ns) == 4, "six words in pieces of one, two, one and two"
    assert (trace.output_tokens, trace.finish_reason) == (7, "stop"), "the end token counts"
    assert (trace.prompt_tokens, trace.cached_prompt_tokens) == (10, 0)
    assert trace.tokenize_ns is None
    assert trace.timings == EngineTimings(
        prefill_tokens=10, prefill_s=pytest.approx(0.009), decode_tokens=6, decode_s=0.012
    )


@scripts("version", ["0.1.38", "0.3.0", "0.12.0", "0.29.0", "0.30.0", "0.30.9", "0.34.0"])
def test_every_version_counts_alike(pool: WorkerPool, version: str) -> None:
    with OllamaServer(Script(version=version)) as server:
        worker = opened(pool, server.url, context=1024)
        assert worker.load().facts.context_tokens == 1024
        traces = [ask(worker, f"{QUESTION} " * 12) for _ in range(3)]
        short = ask(worker, QUESTION, max_new_tokens=3)
    old = version in ("0.1.38", "0.3.0")  # their count lacks what flush and prompt share
    whole = 86 if old else 87
    for trace in traces:
        assert (trace.prompt_tokens, trace.cached_prompt_tokens) == (whole, 0)
        assert trace.timings is not None
        assert trace.timings.prefill_tokens == whole
        assert (trace.output_tokens, trace.finish_reason) == (7, "stop")
    assert (short.output_tokens, short.text) == (3, "The capital of")


def test_nothing_is_sampled_that_was_not_asked_for(pool: WorkerPool) -> None:
    """The server's model says so where a default of Ollama's or the Modelfile's leaks in."""
    parameters = {"repeat_penalty": 1.5, "min_p": 0.3, "mirostat": 2, "presence_penalty": 1.0}
    old = Model(parameters={**parameters, "typical_p": 0.2})
    with OllamaServer(Script(version="0.5.0", models={"demo:latest": old})) as server:
        worker = opened(pool, server.url)
        worker.load()
        assert "leaked" not in ask(worker, QUESTION).text
        asked = opened(pool, server.url, extra_options={"min_p": 0.2})
        asked.load()
        assert "leaked:min_p" in ask(asked, QUESTION).text


def test_seeds_and_their_parameters_reach_sampling(pool: WorkerPool, server: OllamaServer) -> None:
    worker = opened(pool, server.url)
    worker.load()

    def sampled(**changed: Any) -> str:
        return ask(worker, QUESTION, **{"temperature": 0.9, "seed": 1, **changed}).text

    assert sampled() == sampled()
    others = {"seed": 2, "temperature": 0.8, "top_p": 0.5, "top_k": 3}
    texts = {sampled(), *(sampled(**{name: value}) for name, value in others.items())}
    assert len(texts) == 5


def test_chat_templates_are_applied_unless_told_otherwise(
    pool: WorkerPool, server: OllamaServer
) -> None:
    worker = opened(pool, server.url)
    worker.load()
    server.requests.clear()
    counts = [ask(worker, QUESTION, chat=chat).prompt_tokens for chat in (None, True, False)]
    assert counts == [10, 10, 8]
    paths = [path for path, body in server.requests if body["stream"]]
    assert paths == ["/api/chat", "/api/chat", "/api/generate"]


@scripts("server", [{"models": {"demo:latest": Model(template="{{ .Prompt }}")}}], indirect=True)
def test_a_template_that_is_not_there_is_refused(pool: WorkerPool, server: OllamaServer) -> None:
    worker = opened(pool, server.url)
    worker.load()
    assert ask(worker, QUESTION).prompt_tokens == 8
    assert server.asked("/api/chat") == []
    with pytest.raises(CaseError, match="no chat template; leave chat out or write chat = false"):
        ask(worker, QUESTION, chat=True)
    with pytest.raises(CaseError, match="the prompt is empty"):
        ask(worker, "")


def test_a_fixed_length_is_refused_before_anything_is_asked(
    pool: WorkerPool, server: OllamaServer
) -> None:
    worker = opened(pool, server.url)
    worker.load()
    server.requests.clear()
    with pytest.raises(CaseError, match=r'length = "fixed" was asked for, .* "natural"'):
        ask(worker, QUESTION, length="fixed")
    assert server.requests == []


@scripts(
    "server",
    [
        {
            "models": {"demo:latest": Model(capabilities=["completion", "thinking"])},
            "thought": "hm well",
        }
    ],
    indirect=True,
)
@scripts("think", [None, True, False, "high"])
def test_thoughts_are_stamped_and_counted_but_no_answer(
    pool: WorkerPool, server: OllamaServer, think: bool | str | None
) -> None:
    worker = opened(pool, server.url, think=think)
    identity = worker.load().facts.identity
    trace = ask(worker, QUESTION)
    thoughts = 0 if think is False else 2
    assert trace.text == "The capital of France is Paris."
    assert len(trace.stamps_ns) == 4 + thoughts
    assert trace.output_tokens == 7 + thoughts
    assert identity.get("think") == {None: None, "high": "high"}.get(think, str(think).lower())  # type: ignore[call-overload]


def test_every_request_that_may_load_says_the_same(pool: WorkerPool, server: OllamaServer) -> None:
    """Other options of the runner would make the server load the model again."""
    worker = opened(pool, server.url, context=700, extra_options={"use_mmap": False})
    worker.load()
    ask(worker, QUESTION)
    ask(worker, QUESTION)
    bodies = [body for path, body in server.requests if path in ("/api/generate", "/api/chat")]
    assert len(bodies) > 5
    for body in bodies:
        assert (body["options"]["num_ctx"], body["options"]["use_mmap"]) == (700, False)
        assert (body["keep_alive"], body["shift"]) == ("30m", False)
    assert server.loads == 1


def test_an_absent_library_names_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_llmbench.engines import create_engine

    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(EngineNotInstalledError, match=r"pip install 'pytest-llmbench\[openai\]'"):
        create_engine("ollama").start()


@scripts(
    ("keys", "key", "problem"),
    [
        ({"base_url": "ftp://host"}, "base_url", "no address of a server"),
        ({"base_url": "host:port"}, "base_url", "no address"),
        ({"base_url": "http://h:1/v1"}, "base_url", "leave /v1 out"),
        ({"keep_alive": 0}, "keep_alive", "unloads the model after every request"),
        ({"keep_alive": "0m"}, "keep_alive", "unloads the model after every request"),
        ({"extra_options": {"num_ctx": 5}}, "extra_options", "'num_ctx' has its own key: write"),
        ({"base_url": "gpu-box", "keep_alive": "10m"}, None, ""),
        ({"keep_alive": -1, "extra_options": {"num_keep": 3}}, None, ""),
    ],
)
def test_wrong_keys_are_found_without_a_server(
    keys: dict[str, Any], key: str | None, problem: str
) -> None:
    found = OllamaOptions(model="demo", **keys).problem(Path())
    assert (found and found[0]) == key
    assert found is None or problem in found[1]


@scripts("server", [{}, {"version": "0.12.0"}], indirect=True, ids=["now", "old"])
@pytest.mark.parametrize("chat", [None, False])
def test_the_most_probable_tokens(
    pool: WorkerPool, server: OllamaServer, chat: bool | None, request: pytest.FixtureRequest
) -> None:
    worker = opened(pool, server.url)
    worker.load()
    parameters = msgspec.structs.replace(GREEDY, chat=chat)
    messages = (Message(role="user", content=QUESTION),)
    text = worker.generate(messages, parameters, "a test").trace.text
    found = worker.top(messages, parameters, (), "a test")
    if "old" in request.node.name:
        assert found is None, "versions before 0.12.11 tell none"
        return
    assert found is not None
    assert [place.best for place in found] == text.split()
    assert found[0].logprobs == {text.split()[0]: -0.1, "Rome": -3.0, "Oslo": -4.0}
    path = "/api/generate" if chat is False else "/api/chat"
    asked = server.asked(path)[-1]
    assert (asked["logprobs"], asked["top_logprobs"], asked["stream"]) == (True, 20, False)
    assert asked["options"]["temperature"] == 0
