"""What is asked of each kind of server, and what is made of all that it can answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import EngineTimings, ReportedMemory
from pytest_llmbench.engines import Served
from pytest_llmbench.engines.loopback import is_loopback
from pytest_llmbench.engines.openai import OpenAIEngine, OpenAIOptions, exo
from pytest_llmbench.engines.openai.files import command_shown, identity_of, named_files
from pytest_llmbench.engines.openai.profiles import PROFILES
from pytest_llmbench.engines.openai.request import Asked, body_of
from pytest_llmbench.engines.protocol import Generation, Stamps
from pytest_llmbench.errors import CaseError, LoadError
from tests.engines.openai_server import (
    Reply,
    Request,
    Script,
    ScriptedServer,
    delta,
    models,
    stream,
    usage,
)

pytestmark = pytest.mark.engine("openai")

GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
SAMPLED = msgspec.structs.replace(GREEDY, temperature=0.7, seed=7, top_p=0.9, top_k=40)
FIXED = msgspec.structs.replace(GREEDY, length="fixed")
PLAIN = msgspec.structs.replace(GREEDY, chat=False)
QUESTION = (Message(role="system", content="Be brief."), Message(role="user", content="Why?"))

CHAT, COMPLETIONS = "POST /v1/chat/completions", "POST /v1/completions"
ANSWER = stream(delta(role="assistant"), delta("Be"), delta("cause."), delta(finish="stop"))
COUNTED = stream(delta("Because."), delta(finish="stop"), usage(12, 3, 0))


def body(profile: str, parameters: Parameters = GREEDY, **options: Any) -> dict[str, object]:
    """The body of a streamed request."""
    keys = OpenAIOptions(model="m", base_url="http://x", **options)
    return body_of(Asked(QUESTION, "1 2"), parameters, keys, PROFILES[profile], stream=True)


class Asking:
    """An engine that has loaded a scripted server."""

    def __init__(self, server: ScriptedServer, **options: Any) -> None:
        self.engine = OpenAIEngine()
        self.engine.start()
        self.facts = self.engine.load(
            {"model": "m", "base_url": f"{server.root}/v1", **options}, Path.cwd()
        )
        self.stamps = Stamps(time.perf_counter_ns)

    def ask(self, parameters: Parameters = GREEDY) -> Generation:
        encoded = self.engine.encode(QUESTION, parameters)
        self.stamps = Stamps(time.perf_counter_ns)
        return self.engine.generate(encoded, parameters, self.stamps)


@pytest.fixture
def script() -> Script:
    return {"GET /v1/models": models("m"), CHAT: COUNTED, COMPLETIONS: COUNTED}


@pytest.fixture
def server(script: Script) -> Iterator[ScriptedServer]:
    with ScriptedServer(script) as server:
        yield server


# Keys


@pytest.mark.parametrize(
    ("keys", "key", "problem"),
    [
        ({}, "base_url", "needed where the server is not started here"),
        ({"base_url": "127.0.0.1:8000"}, "base_url", "is no address; write it with http://"),
        ({"base_url": "http://h:{port}/v1"}, "base_url", "there is no serve; write the port"),
        ({"serve": ("server",)}, "serve", 'put "{port}" where'),
        (
            {"serve": ("server", "{port}"), "base_url": "http://h:80/v1"},
            "base_url",
            "does not name it; write 'http://127.0.0.1:{port}/v1', or leave base_url out",
        ),
        (
            {"serve_env": {"PORT": "{port}"}, "serve": ("s",), "base_url": "http://h:80"},
            "base_url",
            "does not name it",
        ),
    ],
)
def test_keys_that_do_not_fit(keys: dict[str, Any], key: str, problem: str, tmp_path: Path) -> None:
    found = OpenAIOptions(model="m", **keys).problem(tmp_path)
    assert found is not None
    assert found[0] == key
    assert problem in found[1]


@pytest.mark.parametrize(
    "keys",
    [
        {"base_url": "https://api.example.com/v1"},
        {"serve": ("server", "{port}")},
        {"serve": ("server",), "serve_env": {"PORT": "{port}"}},
        {"serve": ("server", "--port", "8000"), "base_url": "http://127.0.0.1:8000/v1"},
    ],
)
def test_keys_that_fit(keys: dict[str, Any], tmp_path: Path) -> None:
    assert OpenAIOptions(model="m", **keys).problem(tmp_path) is None


def test_importing_the_engine_imports_no_http_library() -> None:
    code = "import sys, pytest_llmbench.engines.openai; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"httpx", "httpx_sse", "psutil"} & set(done.stdout.split())


def test_it_is_served() -> None:
    assert isinstance(OpenAIEngine(), Served)


# What is asked


def test_openai_gets_its_own_fields_only() -> None:
    assert body("openai") == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
        ],
        "max_completion_tokens": 24,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_plain_text_is_the_messages_joined() -> None:
    asked = body("openai", PLAIN)
    assert asked["prompt"] == "Be brief.\n\nWhy?"
    assert asked["max_tokens"] == 24
    assert "messages" not in asked


@pytest.mark.parametrize("profile", PROFILES)
def test_sampling_is_seeded_and_said(profile: str) -> None:
    asked = body(profile, SAMPLED)
    assert (asked["temperature"], asked["top_p"], asked["seed"]) == (0.7, 0.9, 7)
    if profile != "transformers":
        assert asked["top_k"] == 40
    assert "seed" not in body(profile)


def test_a_server_of_an_unknown_kind_gets_top_k_only_where_it_is_asked_for() -> None:
    assert "top_k" not in body("other", msgspec.structs.replace(SAMPLED, top_k=0))


@pytest.mark.parametrize(
    ("profile", "neutral"),
    [
        ("vllm", {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}),
        ("llama-server", {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0, "mirostat": 0}),
        ("llama-cpp-python", {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}),
        ("mlx-lm", {"top_k": 0, "min_p": 0.0}),
        ("lm-studio", {"top_k": 0, "repeat_penalty": 1.0}),
        ("exo", {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}),
    ],
)
def test_no_default_of_a_server_leaks_in(profile: str, neutral: dict[str, object]) -> None:
    asked = body(profile)
    assert {name: asked.get(name) for name in neutral} == neutral


def test_transformers_gets_a_generation_configuration() -> None:
    config = json.loads(str(body("transformers", SAMPLED)["generation_config"]))
    assert config["do_sample"] is True
    assert (config["temperature"], config["top_p"], config["top_k"]) == (0.7, 0.9, 40)
    assert json.loads(str(body("transformers")["generation_config"]))["do_sample"] is False
    fixed = json.loads(str(body("transformers", FIXED)["generation_config"]))
    assert fixed["min_new_tokens"] == fixed["max_new_tokens"] == 24


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        ("vllm", {"ignore_eos": True, "min_tokens": 24}),
        ("llama-server", {"ignore_eos": True}),
        ("llama-cpp-python", {"min_tokens": 24}),
    ],
)
def test_a_fixed_length(profile: str, fields: dict[str, object]) -> None:
    asked, natural = body(profile, FIXED), body(profile)
    assert {name: asked.get(name) for name in fields} == fields
    assert not set(fields) & set(natural)


@pytest.mark.parametrize("profile", ["openai", "other", "mlx-lm", "lm-studio"])
def test_a_fixed_length_where_there_is_none(profile: str) -> None:
    with pytest.raises(CaseError, match=r"no field that makes it go on .* fixed_body = \{...\}"):
        body(profile, FIXED)
    told = {"logit_bias": {"0": -1000}}
    assert body(profile, FIXED, fixed_body=told)["logit_bias"] == told["logit_bias"]
    assert "logit_bias" not in body(profile, fixed_body=told)


def test_fields_of_the_user_s_win() -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "min_p": 0.5}
    asked = body("vllm", extra_body=extra)
    assert {name: asked[name] for name in extra} == extra


def test_a_cache_is_kept_out() -> None:
    assert body("vllm")["cache_salt"] == "1 2"
    assert body("llama-server")["cache_prompt"] is False
    assert "cache_prompt" not in body("llama-server", cache_defeat="none")
    for profile in ("openai", "lm-studio"):
        asked = body(profile, cache_defeat="prefix")
        assert asked["messages"][0]["content"] == "[1 2]\nBe brief."  # type: ignore[index]
    assert str(body("lm-studio", PLAIN)["prompt"]).startswith("[1 2]\nBe brief.\n\nWhy?")
    with pytest.raises(CaseError, match="no field for it; write cache_defeat"):
        body("mlx-lm", cache_defeat="request")


# Which server it is


@pytest.mark.parametrize(
    ("profile", "more"),
    [
        ("vllm", {"GET /v1/models": models("m", owned_by="vllm")}),
        ("llama-server", {"GET /v1/models": models("m", owned_by="llamacpp")}),
        ("llama-cpp-python", {"GET /v1/models": models("m", owned_by="me")}),
        ("transformers", {"GET /openapi.json": Reply({"paths": {"/load_model": {}}})}),
        ("lm-studio", {"GET /api/v0/models": Reply({"data": []})}),
        ("other", {}),
    ],
)
def test_a_server_is_recognized(profile: str, more: Script, server: ScriptedServer) -> None:
    spoken = {"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]}
    server.script |= {CHAT: Reply(spoken), **more}
    assert Asking(server).facts.identity["profile"] == profile


def test_vllm_tells_of_its_model(server: ScriptedServer) -> None:
    listed = models("org/m", owned_by="vllm", max_model_len=4096)
    server.script |= {"GET /v1/models": listed, "GET /version": Reply({"version": "0.11.0"})}
    facts = Asking(server, model="org/m").facts
    assert facts.context_tokens == 4096
    assert facts.settings == {"server_version": "0.11.0"}
    assert facts.identity["served"] == "m"


def test_llama_server_tells_of_its_model(server: ScriptedServer) -> None:
    meta = {"n_params": 8030261312, "size": 4912898304, "n_ctx_train": 131072}
    props = {"default_generation_settings": {"n_ctx": 8192}, "build_info": "b7000-abc"}
    server.script |= {
        "GET /v1/models": models("../models/a.gguf", owned_by="llamacpp", meta=meta),
        "GET /props": Reply(props),
    }
    facts = Asking(server, model="a.gguf").facts
    assert (facts.model_bytes, facts.context_tokens) == (4912898304, 8192)
    assert facts.identity["size"] == "4912898304"
    assert facts.settings == {"server_version": "b7000-abc"}
    assert facts.identity["served"] == "a.gguf"
    assert facts.identity["parameters"] == "8030261312"


def test_lm_studio_tells_of_its_model_and_loads_it_when_it_is_asked(
    server: ScriptedServer,
) -> None:
    about = {"id": "m", "quantization": "Q4_K_M", "compatibility_type": "gguf"}
    spoken = {"choices": [{"message": {"content": "x"}, "finish_reason": "length"}]}
    server.script |= {
        "GET /api/v0/models": Reply({"data": [about]}),
        "GET /api/v0/models/m": Reply(about),
        CHAT: Reply(spoken),
    }
    facts = Asking(server).facts
    assert facts.identity["quantization"] == "Q4_K_M"
    assert facts.identity["cache_defeat"] == "prefix"
    (loading,) = server.asked("/v1/chat/completions")
    assert (loading.body["max_tokens"], loading.body["stream"]) == (1, False)


def test_what_identifies_a_variant(server: ScriptedServer, tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"weights")
    path = str(tmp_path / "a.gguf")
    server.script |= {"GET /v1/models": models(path)}
    facts = Asking(server, model=path, extra_body={"user": "hunter2"}).facts
    assert facts.identity["model"] == "a.gguf"
    assert facts.identity["weights"].startswith("a.gguf:")
    assert "server" not in facts.identity  # this machine; a port identifies nothing
    assert "hunter2" not in str(facts)
    other = Asking(server, model=path, extra_body={"user": "hunter3"}).facts
    assert other.identity["extra_body"] != facts.identity["extra_body"]
    (tmp_path / "a.gguf").write_bytes(b"others")
    assert Asking(server, model=path).facts.identity["weights"] != facts.identity["weights"]


def test_files_that_are_no_model_s_identify_nothing(tmp_path: Path) -> None:
    for name in ("a.gguf", "t.jinja", "server.log", "cache.json"):
        (tmp_path / name).write_text(name)
    (tmp_path / "cache").mkdir()
    words = ("serve", "-m", "a.gguf", "--log-file=server.log", "cache.json", "cache", "t.jinja")
    files = named_files(words, "m", tmp_path)
    assert list(files) == ["a.gguf", "t.jinja"]
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "a.gguf").rename(moved / "a.gguf")
    again = named_files(("serve", "-m", "elsewhere/a.gguf", "t.jinja"), "m", tmp_path)
    before = identity_of([moved / "a.gguf", tmp_path / "t.jinja"])
    assert (
        identity_of(again.values())
        == before
        == identity_of([tmp_path / "t.jinja", moved / "a.gguf"])
    )


def test_a_command_is_kept_without_folders_and_secrets() -> None:
    command = ("/home/me/bin/serve", "--model=/data/m.gguf", "--api-key", "hunter2", "http://a/b")
    assert command_shown(command) == "serve --model=m.gguf --api-key … http://a/b"


def test_a_server_that_has_another_model_is_warned_of(server: ScriptedServer) -> None:
    server.script |= {"GET /v1/models": models("../models/a.gguf", owned_by="llamacpp")}
    with pytest.warns(UserWarning, match=r"has the model 'a.gguf'; it was asked for 'gpt-4'"):
        Asking(server, model="gpt-4")


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"api_key_env": "sk-hunter2"}, "api_key_env"),
        ({"base_url": "http://b:hunter2@h"}, "base_url"),
    ],
)
def test_what_should_not_be_written_down_is_refused_and_not_repeated(
    keys: dict[str, str], key: str, tmp_path: Path
) -> None:
    options = OpenAIOptions(**{"model": "m", "base_url": "http://h", **keys})
    problem = options.problem(tmp_path)
    assert problem is not None
    assert problem[0] == key
    assert "hunter2" not in problem[1]


def test_the_processes_of_a_server_on_this_machine_are_found(server: ScriptedServer) -> None:
    import os

    asking = Asking(server)
    assert os.getpid() in (asking.engine.processes() or ())
    assert asking.engine.reported_memory() is None
    asking.engine.free()


# What it answers


def test_an_answer(server: ScriptedServer) -> None:
    asking = Asking(server)
    answer = asking.ask()
    assert (answer.text, answer.finish_reason) == ("Because.", "stop")
    assert (answer.prompt_tokens, answer.output_tokens) == (12, 3)
    assert answer.cached_prompt_tokens == 0
    assert asking.stamps.arrivals == "chunks"
    assert len(asking.stamps.ns) == 2
    assert asking.stamps.first_response_ns is not None


def test_nothing_is_known_of_tokens_before_the_answer(server: ScriptedServer) -> None:
    assert Asking(server).engine.encode(QUESTION, GREEDY).tokens is None


def test_plain_completions_have_their_own_path(server: ScriptedServer) -> None:
    Asking(server).ask(PLAIN)
    assert server.asked("/v1/completions")
    assert not server.asked("/v1/chat/completions")


def test_pings_are_no_answer(server: ScriptedServer) -> None:
    server.script[CHAT] = stream(
        ": ping\n\n", ": ping\n\n", delta("x", finish="stop"), usage(1, 1, 0), pause_s=0.05
    )
    asking = Asking(server)
    asking.ask()
    assert len(asking.stamps.ns) == 1
    assert asking.stamps.first_response_ns is not None
    assert asking.stamps.first_response_ns > 100e6, "two pings, 50 ms each, were before"


def test_llama_server_s_own_times_are_kept(server: ScriptedServer) -> None:
    timings = {"prompt_n": 9, "prompt_ms": 3, "predicted_n": 3, "predicted_ms": 4, "cache_n": 0}
    server.script[CHAT] = stream(
        delta("x"), delta(finish="stop"), {**usage(9, 3), "timings": timings}
    )
    answer = Asking(server, profile="llama-server").ask()
    assert answer.timings == EngineTimings(
        prefill_tokens=9, prefill_s=0.003, decode_tokens=2, decode_s=0.004
    )
    assert answer.cached_prompt_tokens == 0


def test_cached_tokens_are_refused_with_what_to_do(server: ScriptedServer) -> None:
    server.script[CHAT] = stream(delta("x", finish="stop"), usage(40, 2, 32))
    asking = Asking(server)
    asking.ask()  # the cold one
    with pytest.raises(
        CaseError, match=r"32 of 40 prompt tokens came .*cached_prompt = \"accept\""
    ):
        asking.ask()


def test_cached_tokens_are_reported_where_they_are_accepted(server: ScriptedServer) -> None:
    server.script[CHAT] = stream(delta("x", finish="stop"), usage(40, 2, 32))
    asking = Asking(server, cached_prompt="accept")
    asking.ask()
    assert asking.ask().cached_prompt_tokens == 32


def test_what_a_server_does_not_say_of_its_cache_is_unknown_and_said_once(
    server: ScriptedServer,
) -> None:
    server.script[CHAT] = stream(delta("x", finish="stop"), usage(40, 2))
    asking = Asking(server)
    with pytest.warns(UserWarning, match="does not say whether a prompt came from its cache"):
        assert asking.ask().cached_prompt_tokens is None
    assert asking.ask().cached_prompt_tokens is None


@pytest.mark.parametrize(
    ("version", "cached"), [("0.11.2", 0), ("0.9.0", 0), ("0.8.5", None), (None, None)]
)
def test_a_salt_keeps_vllm_s_prompts_apart_since_0_9(
    server: ScriptedServer, version: str | None, cached: int | None
) -> None:
    server.script[CHAT] = stream(delta("x", finish="stop"), usage(40, 2))
    if version:
        server.script["GET /version"] = Reply({"version": version})
    asking = Asking(server, profile="vllm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert asking.ask().cached_prompt_tokens == cached
        asking.ask()
    salts = {request.body["cache_salt"] for request in server.asked("/v1/chat/completions")}
    assert len(salts) == 2


def silent(request: Request) -> Reply:
    """A server that counts only what it does not stream."""
    if request.body["stream"]:
        return stream(delta("Because."), delta(finish="stop"))
    choice = {"message": {"content": "Because."}, "finish_reason": "stop"}
    return Reply({"choices": [choice], "usage": usage(12, 2)["usage"]})


@pytest.mark.filterwarnings("ignore:the server does not say whether")
def test_counts_that_are_not_streamed_are_asked_for_once(server: ScriptedServer) -> None:
    server.script[CHAT] = silent
    asking = Asking(server)
    assert asking.ask().output_tokens is None, "the cold one"
    answers = [asking.ask(), asking.ask()]
    assert [(a.prompt_tokens, a.output_tokens) for a in answers] == [(12, 2), (12, 2)]
    streamed = [request.body["stream"] for request in server.asked("/v1/chat/completions")]
    assert streamed == [True, False, True, True]


@pytest.mark.filterwarnings("ignore:the server does not say whether")
def test_counts_of_another_text_are_not_taken(server: ScriptedServer) -> None:
    def other(request: Request) -> Reply:
        return (
            stream(delta("Why not?", finish="stop")) if request.body["stream"] else silent(request)
        )

    server.script[CHAT] = other
    asking = Asking(server)
    asking.ask()
    with pytest.warns(UserWarning, match="does not say how many tokens a text has"):
        assert asking.ask().output_tokens is None
    assert asking.ask().output_tokens is None


def test_a_prompt_is_driven_out_before_a_round(server: ScriptedServer) -> None:
    spoken = Reply({"choices": [{"text": "x", "finish_reason": "length"}]})
    server.script[COMPLETIONS] = spoken
    asking = Asking(server, profile="other", cache_defeat="flush")
    asking.ask()
    asking.ask()
    assert [request.path for request in server.requests if request.method == "POST"] == [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/chat/completions",
    ]
    (flush,) = server.asked("/v1/completions")
    assert (flush.body["prompt"], flush.body["max_tokens"]) == ("0", 1)


def test_a_fixed_length_that_is_not_kept_is_refused(server: ScriptedServer) -> None:
    asking = Asking(server, profile="vllm")
    with pytest.raises(CaseError, match="max_new_tokens = 24, but the server generated 3 tokens"):
        asking.ask(FIXED)


def test_a_fixed_length_that_a_server_has_not_is_refused_before_it_is_asked(
    server: ScriptedServer,
) -> None:
    asking = Asking(server)
    with pytest.raises(CaseError, match="write the fields that do as fixed_body"):
        asking.ask(FIXED)
    assert not server.asked("/v1/chat/completions")


def test_the_key_is_read_from_the_environment(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "secret")
    asking = Asking(server, api_key_env="THE_KEY", headers={"X-Team": "a"})
    asking.ask()
    sent = server.requests[-1].headers
    assert (sent["Authorization"], sent["X-Team"]) == ("Bearer secret", "a")
    assert "secret" not in repr(asking.facts)
    monkeypatch.delenv("THE_KEY")
    with pytest.raises(LoadError, match="THE_KEY, which is not set; type: export THE_KEY="):
        Asking(server, api_key_env="THE_KEY")


# What goes wrong


def test_no_server_answers() -> None:
    with ScriptedServer({}) as gone:
        pass
    with pytest.raises(LoadError, match=r"no server answers at .*start it, correct base_url, or"):
        Asking(gone)


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (
            Reply({"error": {"message": "no such model"}}, status=404),
            "404: no such model; it serve",
        ),
        (Reply({"error": "no such model"}, status=404), "it serves: m; correct model = 'm'"),
        (Reply({"detail": "top_k is unknown"}, status=422), "answered 422: top_k is unknown"),
        (Reply({"error": {"message": "bad key"}}, status=401), r"401: bad key; name .*api_key_env"),
        (Reply(b"it broke", status=500), "answered 500: it broke"),
        (Reply({}, status=307, headers=(("location", "http://h/v1"),)), "redirects to http://h/v1"),
        (Reply({"choices": []}), "asked for a stream and answered with 'application/json'"),
        (Reply({"error": "overloaded"}), "answered with 'application/json': overloaded"),
        (stream(delta("x"), {"error": {"message": "out of memory"}}), "an error: out of memory"),
        (stream(delta("x"), "data: {nonsense\n\n"), "is no JSON object: '{nonsense'"),
        (stream(delta("x"), delta("y"), done=False, cut=True), "broke after 2 pieces"),
        (stream(delta("x"), done=False), "ended after 1 pieces of text without saying why"),
        (stream(delta("x", finish="content_filter")), "content filter cut the answer off"),
    ],
)
def test_answers_that_are_none(server: ScriptedServer, reply: Reply, problem: str) -> None:
    asking = Asking(server)
    server.script[CHAT] = reply
    with pytest.raises(CaseError, match=problem) as raised:
        asking.ask()
    assert type(raised.value) is CaseError, "only such an error crosses to the session"
    server.script[CHAT] = COUNTED
    assert asking.ask().text == "Because.", "and the next one runs"


def test_a_key_that_is_not_taken_is_named(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "secret")
    asking = Asking(server, api_key_env="THE_KEY")
    server.script[CHAT] = Reply({"error": "no"}, status=401)
    with pytest.raises(CaseError, match="not take the key in the environment variable THE_KEY"):
        asking.ask()


def test_a_server_that_falls_silent(server: ScriptedServer) -> None:
    asking = Asking(server, read_timeout_s=0.1)
    server.script[CHAT] = stream(delta("x"), delta("y"), pause_s=0.6)
    with pytest.raises(CaseError, match=r"sent nothing for 0.1 s, after 1 pieces .*read_timeout_s"):
        asking.ask()


def test_a_server_without_completions(server: ScriptedServer) -> None:
    asking = Asking(server)
    server.script[COMPLETIONS] = Reply(b"Not Found", status=404)
    with pytest.raises(CaseError, match=r"chat = false needs /completions, .*leave chat out"):
        asking.ask(PLAIN)


def test_a_model_that_can_t_be_loaded_is_a_load_error(server: ScriptedServer) -> None:
    server.script[CHAT] = Reply({"error": "no such file"}, status=404)
    with pytest.raises(LoadError, match="404: no such file"):
        Asking(server, profile="mlx-lm")


def test_a_proxy_does_not_come_between(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert Asking(server).ask().text == "Because."


def test_what_is_on_this_machine() -> None:
    here = ["http://127.0.0.1:8000/v1", "http://localhost", "http://[::1]:80", "http://127.1.2.3"]
    assert [is_loopback(url) for url in here] == [True] * 4
    assert not is_loopback("http://example.com/v1")
    assert not is_loopback("http://192.168.1.4:8000/v1")


# exo

PLACED = {
    "MlxRingInstance": {
        "instanceId": "i1",
        "shardAssignments": {"modelId": "m", "runnerToShard": {"r1": {}}, "nodeToRunner": {}},
    }
}


class Exo:
    """exo's state, in as many looks at it as it takes a runner to be ready."""

    def __init__(self, *, runners: list[dict[str, object]], placed: bool) -> None:
        self.placed = placed
        self._runners = runners

    def state(self, request: Request) -> Reply:
        if not self.placed:
            return Reply({"instances": {}, "runners": {}})
        now = self._runners.pop(0) if len(self._runners) > 1 else self._runners[0]
        return Reply({"instances": {"i1": PLACED}, "runners": {"r1": now}})

    def place(self, request: Request) -> Reply:
        self.placed = request.body == {"instance": PLACED}
        return Reply({"message": "Command received."})


def exo_script(state: Exo) -> Script:
    stats = {
        "prompt_tps": 100.0,
        "generation_tps": 48.0,
        "prompt_tokens": 12,
        "generation_tokens": 24,
        "peak_memory_usage": {"inBytes": 5_000_000},
        "prefix_cache_hit": "none",
    }
    spoken = {"choices": [{"message": {"content": "Because"}, "finish_reason": "length"}]}
    previews = [{"error": "too small", "instance": None}, {"error": None, "instance": PLACED}]
    return {
        "GET /v1/models": models("m", owned_by="exo", storage_size_megabytes=2, context_length=512),
        "GET /state": state.state,
        "GET /instance/previews?model_id=m": Reply({"previews": previews}),
        "POST /instance": state.place,
        "DELETE /instance/i1": Reply({}),
        "POST /bench/chat/completions": Reply({**spoken, "generation_stats": stats}),
        CHAT: lambda request: COUNTED if request.body["stream"] else Reply(spoken),
    }


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exo, "_POLL_S", 0.01)


LOADING: list[dict[str, object]] = [{"RunnerLoading": {}}, {"RunnerReady": {}}]


@pytest.mark.usefixtures("quick")
def test_exo_places_an_instance_and_takes_it_down_again() -> None:
    with ScriptedServer(exo_script(Exo(runners=LOADING.copy(), placed=False))) as server:
        asking = Asking(server)
        assert asking.facts.identity["profile"] == "exo"
        assert (asking.facts.model_bytes, asking.facts.context_tokens) == (2 * 2**20, 512)
        assert asking.ask().text == "Because."
        asking.engine.free()
        assert server.asked("/instance/i1")


@pytest.mark.usefixtures("quick")
def test_exo_s_own_instance_is_used_and_left() -> None:
    with ScriptedServer(exo_script(Exo(runners=LOADING.copy(), placed=True))) as server:
        Asking(server).engine.free()
        assert not server.asked("/instance")
        assert not server.asked("/instance/i1")


def test_exo_has_no_place() -> None:
    script = exo_script(Exo(runners=LOADING, placed=False))
    script["GET /instance/previews?model_id=m"] = Reply({"previews": [{"error": "too small"}]})
    with (
        ScriptedServer(script) as server,
        pytest.raises(LoadError, match="proposes no placement of one: too small"),
    ):
        Asking(server)


def test_exo_s_runner_fails() -> None:
    failed: list[dict[str, object]] = [{"RunnerFailed": {"errorMessage": "out of memory"}}]
    with (
        ScriptedServer(exo_script(Exo(runners=failed, placed=True))) as server,
        pytest.raises(LoadError, match="could not run 'm': out of memory"),
    ):
        Asking(server)


def test_exo_s_benchmark_gives_a_fixed_length_its_own_times_and_no_stamps() -> None:
    with ScriptedServer(exo_script(Exo(runners=LOADING[1:], placed=True))) as server:
        asking = Asking(server)
        answer = asking.ask(FIXED)
        assert (answer.text, answer.finish_reason) == ("Because", "length")
        assert (answer.prompt_tokens, answer.output_tokens) == (12, 24)
        assert answer.cached_prompt_tokens == 0
        assert answer.timings == EngineTimings(
            prefill_tokens=12, prefill_s=0.12, decode_tokens=23, decode_s=0.5
        )
        assert asking.stamps.ns == []
        assert asking.engine.reported_memory() == ReportedMemory(total=5_000_000, device=None)
        with pytest.raises(CaseError, match="exo answers chats only"):
            asking.ask(msgspec.structs.replace(FIXED, chat=False))
