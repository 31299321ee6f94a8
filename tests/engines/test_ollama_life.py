"""The life of a model on a server of Ollama's: found, fetched, loaded, measured, unloaded."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import ReportedMemory
from pytest_llmbench.errors import LoadError
from pytest_llmbench.worker import Worker, WorkerPool
from tests.engines.ollama_http import Refused
from tests.engines.ollama_server import Model, OllamaServer, Script
from tests.support import variant

pytestmark = pytest.mark.engine("ollama")

GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
QUESTION = "What is the capital of France?"
NUMBERS = itertools.count()


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer(Script()) as server:
        yield server


def opened(pool: WorkerPool, url: str, **options: object) -> Worker:
    name = f"v{next(NUMBERS)}"
    worker = pool.open(variant(name, "ollama", **{"model": "demo", "base_url": url, **options}))
    worker.start()
    return worker


def test_memory_is_the_server_s_word_until_it_is_unloaded(
    pool: WorkerPool, server: OllamaServer
) -> None:
    server.script.gpu_share = 0.25
    worker = opened(pool, server.url, context=1000)
    loaded = worker.load()
    told = ReportedMemory(total=8_000_000, device=2_000_000)
    assert loaded.life.after_load is not None
    assert loaded.life.after_load.reported == told
    message = (Message(role="user", content=QUESTION),)
    memory = worker.generate(message, GREEDY, "a test", memory_pass=True).memory
    assert memory is not None
    assert memory.reported == told
    assert memory.host is not None, "the process that listens is this one"
    assert memory.host.rss > 0
    after = worker.free().life.after_free
    assert after is not None
    assert after.reported == ReportedMemory(total=0, device=0)
    assert server.get("/api/ps") == {"models": []}


def test_what_was_loaded_is_loaded_anew_and_may_stay(
    pool: WorkerPool, server: OllamaServer
) -> None:
    server.post("/api/generate", {"model": "demo", "stream": False})
    assert server.loads == 1
    worker = opened(pool, server.url, unload=False)
    loaded = worker.load()
    assert server.loads == 2
    assert loaded.life.load_s is not None
    assert loaded.life.load_s >= server.script.load_s
    worker.free()
    assert len(server.get("/api/ps")["models"]) == 1


@pytest.mark.parametrize(
    ("keep_alive", "sent"), [(600, 600), (-1, -1), ("90", 90), ("-1", -1), ("2h", "2h")]
)
def test_the_time_that_a_model_is_kept(
    server: OllamaServer, pool: WorkerPool, keep_alive: str | int, sent: str | int
) -> None:
    opened(pool, server.url, keep_alive=keep_alive).load()
    assert server.asked("/api/generate")[-1]["keep_alive"] == sent


def test_the_environment_says_where_the_server_is(
    pool: WorkerPool, server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", server.url.replace("http://127.0.0.1", "0.0.0.0"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    worker = pool.open(variant("v", "ollama", model="demo:latest"))
    worker.start()
    assert worker.load().facts.identity["model"] == "demo:latest"


def test_only_what_was_asked_for_is_pulled(pool: WorkerPool) -> None:
    with OllamaServer(Script(models={}, registry={"demo:latest": Model()})) as server:
        with pytest.raises(LoadError, match="has no model 'demo'; type: ollama pull demo, or"):
            opened(pool, server.url).load()
        assert server.asked("/api/pull") == []
        assert opened(pool, server.url, pull=True).load().facts.model_bytes == 7_000_000
        opened(pool, server.url, pull=True).load()
        assert len(server.asked("/api/pull")) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="a process gives itself a name on Linux only")
@pytest.mark.parametrize("defeat", ["flush", "reload"])
def test_the_server_s_processes_are_measured(pool: WorkerPool, defeat: str) -> None:
    program = Path(__file__).with_name("ollama_server.py")
    script = json.dumps({"children": True})
    with subprocess.Popen(
        [sys.executable, program, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        worker = opened(pool, process.stdout.readline().strip(), cache_defeat=defeat)
        loaded = worker.load().life.after_load
        message = (Message(role="user", content=QUESTION),)
        memory = worker.generate(message, GREEDY, "a test", memory_pass=True).memory
        contention = worker.generate(message, GREEDY, "a test").contention
        freed = worker.free().life.after_free
        process.communicate("")
    assert None not in (loaded, memory, freed, contention)
    assert loaded.host.rss > freed.host.rss > 0, "the model's own process is gone"
    assert memory.host.rss > freed.host.rss, "that of a model loaded anew is seen"
    assert contention.involuntary_switches is not None


def test_the_doctor_is_told_of_the_server(server: OllamaServer) -> None:
    from pytest_llmbench.engines.ollama import survey

    server.post("/api/generate", {"model": "demo", "stream": False})
    assert survey({"OLLAMA_HOST": server.url}).notes == (
        f"Ollama 0.34.0 answers at {server.url}; models: 1, in memory: demo:latest",
    )
    (note,) = survey({"OLLAMA_HOST": "127.0.0.1:9"}).notes
    assert note.startswith("no server answers at http://127.0.0.1:9 ")
    assert note.endswith("type: ollama serve, or correct base_url or OLLAMA_HOST")
    assert "no address" in survey({"OLLAMA_HOST": "a b"}).notes[0]


def test_the_doctor_is_told_of_another_server(
    server: OllamaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_llmbench.engines.ollama import survey

    def absent(path: str) -> dict[str, Any]:
        raise Refused(404, f"there is no {path}")

    monkeypatch.setattr(server, "get", absent)
    (note,) = survey({"OLLAMA_HOST": server.url}).notes
    assert note.startswith(f"no Ollama answers at {server.url}: ")
    assert note.endswith('write engine = "openai" for another server')
