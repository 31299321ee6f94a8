"""What goes wrong with a server of Ollama's, and what is said then."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.errors import CaseError, LoadError
from pytest_llmbench.worker import Worker, WorkerPool
from tests.engines.ollama_http import Refused
from tests.engines.ollama_server import Model, OllamaServer, Script
from tests.support import variant

pytestmark = pytest.mark.engine("ollama")

GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
QUESTION = "What is the capital of France?"
FAULTS = {
    "dies": "500",
    "stumbles": "error",
    "breaks": "cut",
    "stops": "silent",
    "babbles": "malformed",
    "hangs": "hang",
    "nothing": "empty",
}


@pytest.fixture(scope="module")
def server() -> Iterator[OllamaServer]:
    with OllamaServer(Script(faults=FAULTS)) as server:
        yield server


def opened(pool: WorkerPool, name: str, url: str, **options: object) -> Worker:
    keys = {"model": "demo", "base_url": url, "read_timeout_s": 1.0, **options}
    worker = pool.open(variant(name, "ollama", **keys))
    worker.start()
    return worker


@pytest.fixture(scope="module")
def worker(server: OllamaServer) -> Iterator[Worker]:
    pool = WorkerPool()
    worker = opened(pool, "v", server.url, context=256)
    worker.load()
    yield worker
    pool.close()


def ask(worker: Worker, text: str, **changed: Any) -> Trace:
    parameters = msgspec.structs.replace(GREEDY, **changed)
    return worker.generate((Message(role="user", content=text),), parameters, "a test").trace


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dies", r"refused \(500\): llama runner process has terminated: signal: killed"),
        ("stumbles", "broke off within the answer: an error was encountered while running"),
        ("breaks", "the connection to the server at .* broke .*; the server's own log says why"),
        ("stops", "the answer broke off before its end; .* over and over"),
        ("babbles", r"sent a line that is not its API's .*\{not json"),
        ("hangs", "said nothing for 1 s; if it needs longer, raise read_timeout_s"),
        ("nothing", "ended with 'load' instead of an answer"),
    ],
)
def test_a_case_fails_in_words_and_the_next_one_runs(
    worker: Worker, word: str, message: str
) -> None:
    with pytest.raises(CaseError, match=message):
        ask(worker, word)
    assert ask(worker, QUESTION).text == "The capital of France is Paris."


def test_a_prompt_beyond_the_context_is_refused(worker: Worker) -> None:
    with pytest.raises(CaseError, match=r"context of 256 tokens .*; shorten the prompt or raise"):
        ask(worker, "word " * 300)
    with pytest.raises(
        CaseError, match=r"its 244 tokens and max_new_tokens = 24 make 268, .* 256 .*shorten"
    ):
        ask(worker, "word " * 241)
    trace = ask(worker, "word " * 229)
    assert (trace.prompt_tokens, trace.text) == (232, "The capital of France is Paris.")


def test_a_prompt_that_an_old_server_cuts_is_refused(pool: WorkerPool) -> None:
    with OllamaServer(Script(version="0.12.0")) as server:
        worker = opened(pool, "old", server.url, context=256)
        worker.load()
        with pytest.raises(CaseError, match=r"its 256 tokens .* make 280, but .* is 256 tokens"):
            ask(worker, "word " * 300)
        assert ask(worker, QUESTION).text


def test_a_server_that_goes_fails_its_cases(pool: WorkerPool) -> None:
    with OllamaServer(Script()) as server:
        worker = opened(pool, "gone", server.url)
        worker.load()
        ask(worker, QUESTION)
    with pytest.raises(CaseError, match=r"no server answers at .*; type: ollama serve"):
        ask(worker, QUESTION)
    with pytest.raises(LoadError, match="no server answers"):
        worker.free()


def test_no_server_at_all(pool: WorkerPool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(LoadError, match=f"no server answers at {url} .*; type: ollama serve"):
            opened(pool, "v", url).load()


def test_another_server_than_ollama_s(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    with OllamaServer(Script()) as server:
        monkeypatch.setattr(server, "get", lambda _: {"hello": "world"})
        with pytest.raises(
            LoadError, match=r"does not answer /api/version as Ollama does .*; correct base_url"
        ):
            opened(pool, "v", server.url).load()


def test_a_server_without_ollama_s_version(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OllamaServer(Script()) as server:
        monkeypatch.setattr(server, "get", not_found)
        message = rf'no Ollama answers at {server.url}: .*404.*, or write engine = "openai" for'
        with pytest.raises(LoadError, match=message):
            opened(pool, "v", server.url).load()


def not_found(path: str) -> dict[str, Any]:
    raise Refused(404, f"there is no {path}")


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"models": {}}, {}, "has no model 'demo'; type: ollama pull demo, or write pull = true"),
    ({"models": {}}, {"pull": True}, "failed: pull model manifest: file does not exist"),
    (
        {"models": {}, "registry": {"demo:latest": Model()}, "pull_fault": "cut"},
        {"pull": True},
        "broke off at 'pulling abababab'; type: ollama pull demo",
    ),
    (
        {"load_fault": "model requires more system memory (9 GiB) than is available (2 GiB)"},
        {},
        r"refused \(500\): model requires more system memory",
    ),
    ({"hidden": True}, {}, "said that it loaded demo:latest, but it is not among its loaded"),
    (
        {"models": {"demo:latest": Model(remote_host="https://far.example:443")}},
        {},
        "runs at https://far.example:443, to which this server only passes requests on",
    ),
    (
        {"models": {"demo:latest": Model(capabilities=["embedding"])}},
        {},
        r"generates no text \(it can: embedding\); name one that does",
    ),
    ({}, {"think": True}, "model = 'demo' does not think; leave think out"),
    ({}, {"extra_options": {"nonsense": 1}}, "invalid option provided: nonsense"),
]


@pytest.mark.parametrize(("script", "options", "message"), REFUSED)
def test_what_can_not_be_loaded_says_why(
    pool: WorkerPool, script: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with OllamaServer(Script(**script)) as server, pytest.raises(LoadError, match=message):
        opened(pool, "v", server.url, **options).load()


def test_a_model_that_stays_loaded_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from pathlib import Path

    from pytest_llmbench.engines.ollama import OllamaEngine, model

    monkeypatch.setattr(model, "_UNLOAD_S", 0.1)
    with OllamaServer(Script()) as server:
        engine = OllamaEngine()
        engine.start()
        engine.load({"model": "demo", "base_url": server.url}, Path())
        server.script.unload_s = 60.0
        with pytest.raises(LoadError, match=r"still holds demo:latest 0.1 s after .* stop that"):
            engine.free()
