"""Rounds of the ollama engine are never answered out of the prompt cache unnoticed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines import Generation, Stamps
from pytest_llmbench.engines.ollama import OllamaEngine
from pytest_llmbench.engines.ollama.answers import Chunk
from pytest_llmbench.engines.ollama.cold import judged
from pytest_llmbench.errors import CaseError
from tests.engines.ollama_server import OllamaServer, Script

pytestmark = pytest.mark.engine("ollama")

GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
LONG = "What is the capital of France? " * 20
OTHER = "Tell me of rivers, please, and bridges. " * 16


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[OllamaServer]:
    with OllamaServer(Script(**getattr(request, "param", {}))) as server:
        yield server


@pytest.fixture
def engines() -> Iterator[list[OllamaEngine]]:
    engines: list[OllamaEngine] = []
    yield engines
    for engine in engines:
        engine._client.close()


def loaded(engines: list[OllamaEngine], server: OllamaServer, **options: object) -> OllamaEngine:
    engine = OllamaEngine()
    engine.start()
    engine.load({"model": "demo", "base_url": server.url, **options}, Path())
    engines.append(engine)
    return engine


def ask(engine: OllamaEngine, text: str = LONG, **changed: Any) -> Generation:
    parameters = msgspec.structs.replace(GREEDY, **changed)
    ticks = itertools.count(0, 1_000)
    encoded = engine.encode((Message(role="user", content=text),), parameters)
    return engine.generate(encoded, parameters, Stamps(lambda: next(ticks)))


FLUSHED: list[dict[str, Any]] = [
    {"version": "0.3.0"},
    {"version": "0.3.0", "slots": 4},
    {"version": "0.12.0"},
    {"version": "0.12.0", "slots": 4},
    {"version": "0.31.0"},
    {"version": "0.34.0"},
]
RELOADED: list[dict[str, Any]] = [
    {"version": "0.12.0", "slots": 4, "multiuser": True},
    {"version": "0.12.0", "prefill_ms": 0.0},
    {"version": "0.30.0", "ram_cache": True},
    {"version": "0.31.0", "ram_cache": True},
    {"version": "0.34.0", "ram_cache": True},
    {"version": "0.34.0", "slots": 4},
]
"""Servers on which another prompt does not push the last one out, or where nothing would tell."""


@pytest.mark.parametrize(
    ("script", "reloads"), [*((s, False) for s in FLUSHED), *((s, True) for s in RELOADED)]
)
def test_what_is_enough_is_found_out(
    engines: list[OllamaEngine], script: dict[str, Any], reloads: bool
) -> None:
    with OllamaServer(Script(**script)) as server:
        engine = loaded(engines, server)
        rounds = [ask(engine) for _ in range(4)]
        assert server.loads == (4 if reloads else 1)
    assert [each.cached_prompt_tokens for each in rounds] == [0] * 4
    assert len({each.timings and each.timings.prefill_s for each in rounds[1:]}) == 1
    assert len({each.text for each in rounds}) == 1


def test_the_first_round_after_loading_needs_nothing(
    engines: list[OllamaEngine], server: OllamaServer
) -> None:
    engine = loaded(engines, server)
    before = len(server.requests)
    ask(engine)
    assert [path for path, _ in server.requests[before:]] == ["/api/chat"]
    ask(engine)
    ask(engine)
    flush, asked = server.requests[-2:]
    assert flush[0] == "/api/generate"
    assert flush[1]["options"]["num_predict"] == 1
    assert asked[0] == "/api/chat"


@pytest.mark.parametrize("server", RELOADED[3:5], indirect=True)
def test_reloading_is_not_tried_out(engines: list[OllamaEngine], server: OllamaServer) -> None:
    engine = loaded(engines, server, cache_defeat="reload")
    rounds = [ask(engine) for _ in range(3)]
    assert [each.cached_prompt_tokens for each in rounds] == [0, 0, 0]
    assert server.loads == 3
    assert len(server.asked("/api/chat")) == 3
    ones = [b for b in server.asked("/api/generate") if b.get("options", {}).get("num_predict")]
    assert len(ones) == 2, "one token each, for the weights of the new process"


UNFIT = {"version": "0.12.0", "slots": 4, "multiuser": True}
"""Time alone tells there."""


@pytest.mark.parametrize(
    "server", [{"version": "0.34.0", "ram_cache": True}, UNFIT], indirect=True, ids=str
)
def test_a_cached_round_is_refused_with_what_to_type(
    engines: list[OllamaEngine], server: OllamaServer
) -> None:
    engine = loaded(engines, server, cache_defeat="flush")
    ask(engine)
    ask(engine, OTHER)  # the trial came before this one
    with pytest.raises(
        CaseError, match=r"1\d\d of the 1\d\d prompt tokens came from the server's"
    ) as e:
        ask(engine, OTHER)
    assert 'write cache_defeat = "reload"' in str(e.value)
    assert "LLAMA_ARG_CACHE_RAM=0 OLLAMA_NUM_PARALLEL=1 ollama serve" in str(e.value)
    assert ask(engine, "Something else.").cached_prompt_tokens == 0


@pytest.mark.parametrize("version", ["0.3.0", "0.34.0"])
@pytest.mark.parametrize("cached_prompt", ["refuse", "accept"])
def test_without_defeat_a_cached_prompt_is_refused_or_told(
    engines: list[OllamaEngine], version: str, cached_prompt: str
) -> None:
    with OllamaServer(Script(version=version)) as server:
        engine = loaded(engines, server, cache_defeat="none", cached_prompt=cached_prompt)
        first = ask(engine)
        if cached_prompt == "refuse":
            with pytest.raises(CaseError, match="prompt tokens came from the server's cache"):
                ask(engine)
            return
        again = ask(engine)
    assert first.cached_prompt_tokens == 0
    assert first.prompt_tokens == again.prompt_tokens
    assert again.cached_prompt_tokens is not None
    assert again.cached_prompt_tokens >= again.prompt_tokens - 1
    assert again.timings is not None
    assert again.timings.prefill_tokens in (None, 1)


@pytest.mark.parametrize("server", [{"version": "0.3.0"}], indirect=True)
def test_a_prompt_of_which_nothing_was_processed_is_refused(
    engines: list[OllamaEngine], server: OllamaServer
) -> None:
    """Its count is absent, and its length was never seen."""
    other = loaded(engines, server, unload=False)
    ask(other)
    engine = loaded(engines, server, cache_defeat="none")
    ask(engine, "x")
    ask(other)
    with pytest.raises(CaseError, match="all prompt tokens came from the server's cache"):
        ask(engine)


@pytest.mark.parametrize("server", [{"version": "0.12.0"}], indirect=True)
def test_what_nothing_tells_is_not_known(engines: list[OllamaEngine], server: OllamaServer) -> None:
    engine = loaded(engines, server, cache_defeat="none")
    assert [ask(engine).cached_prompt_tokens for _ in range(2)] == [0, None]
    server.script.prefill_ms = 0.0
    blind = loaded(engines, server, cache_defeat="flush")
    assert [ask(blind).cached_prompt_tokens for _ in range(2)] == [0, None]


def test_a_model_that_was_dropped_between_rounds_is_loaded_outside_of_one(
    engines: list[OllamaEngine], server: OllamaServer
) -> None:
    for defeat in ("auto", "none"):
        engine = loaded(engines, server, cache_defeat=defeat, cached_prompt="accept")
        ask(engine)
        server.evict()
        loads = server.loads
        assert ask(engine).text
        assert server.loads == loads + 1
        assert server.requests[-1][0] == "/api/chat"


@pytest.mark.parametrize("server", [{"faults": {"evicted": "evict"}}], indirect=True)
def test_a_model_that_was_loaded_within_a_round_spoils_it(
    engines: list[OllamaEngine], server: OllamaServer
) -> None:
    engine = loaded(engines, server)
    for _ in range(2):  # before and after a flush has shown what is usual
        with pytest.raises(CaseError, match=r"took 30 s to have the model ready .* keep_alive"):
            ask(engine, "evicted")
        assert ask(engine).text


def figures(tokens: int, ms: float, cached: int | None = None) -> Chunk:
    return Chunk(
        prompt_eval_count=tokens,
        prompt_eval_cached_count=cached,
        prompt_eval_duration=int(ms * 1e6),
    )


@pytest.mark.parametrize(
    ("cold", "hit", "flushed", "witness", "flushes"),
    [
        (figures(60, 60, 0), figures(60, 1, 59), [figures(60, 60, 1)] * 2, "told", True),
        (figures(60, 60, 0), figures(60, 1, 59), [figures(60, 60, 2)] * 2, "told", True),
        (figures(60, 60, 0), figures(60, 1, 59), [figures(60, 60, 3)] * 2, "told", False),
        (figures(60, 60), figures(1, 1), [figures(59, 60)] * 2, "count", True),
        (figures(60, 60), figures(0, 0), [figures(57, 60)] * 2, "count", False),
        (figures(60, 60), figures(60, 1), [figures(60, 59)] * 2, "time", True),
        (figures(60, 60), figures(60, 1), [figures(60, 8), figures(60, 7)], "time", False),
        (figures(60, 60), figures(60, 15), [figures(60, 31)] * 2, "time", True),
        (figures(60, 60), figures(60, 16), [figures(60, 60)] * 2, None, None),
    ],
)
def test_a_trial_is_judged(
    cold: Chunk, hit: Chunk, flushed: list[Chunk], witness: str | None, flushes: bool | None
) -> None:
    trial = judged(cold, hit, flushed)
    assert (trial.witness, trial.flushes) == (witness, flushes)
