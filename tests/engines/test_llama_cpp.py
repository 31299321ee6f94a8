"""The llama-cpp engine: how it generates, what it records, that it gives its memory back."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import msgspec
import pytest

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines.llama_cpp import LlamaCppEngine, model
from pytest_llmbench.errors import CaseError
from pytest_llmbench.worker import WorkerPool
from tests.engines.llama_cpp_model import FIXED, GREEDY, LONG, QUESTION, open_engine, run
from tests.support import demo_form, variant

pytestmark = pytest.mark.engine("llama-cpp")


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaCppEngine]:
    engine, _ = open_engine()
    yield engine
    engine.free()


def test_the_answer_is_right_and_ends_by_itself(engine: LlamaCppEngine) -> None:
    generation, stamps = run(engine)
    assert generation.text == "Paris is the capital of France."
    assert generation.finish_reason == "stop"
    assert stamps.ids[-1] == 0, "the end token is stamped"
    assert stamps.ns == sorted(stamps.ns)


def test_a_fixed_length_goes_past_the_end(engine: LlamaCppEngine) -> None:
    generation, stamps = run(engine, FIXED)
    assert len(stamps.ids) == 32
    assert 0 in stamps.ids[:-1]
    assert generation.finish_reason == "length"
    assert "<|" not in generation.text


def test_a_repeated_prompt_is_processed_again(engine: LlamaCppEngine) -> None:
    tokens = engine.encode(LONG, GREEDY).tokens
    answers = []
    for _ in range(6):
        generation, stamps = run(engine, FIXED, LONG)
        answers.append(stamps.ids)
        assert generation.timings is not None
        assert generation.timings.prefill_tokens == tokens
        assert generation.timings.decode_tokens == 31
        assert generation.timings.prefill_s is not None
        assert generation.timings.prefill_s > 0
    assert answers == answers[:1] * 6, "nothing of a round before was in the cache"


def test_one_token_needs_no_decoding_and_none_is_reported(engine: LlamaCppEngine) -> None:
    generation, stamps = run(engine, msgspec.structs.replace(GREEDY, max_new_tokens=1))
    assert len(stamps.ids) == 1
    assert generation.timings is not None
    assert generation.timings.prefill_tokens == engine.encode(QUESTION, GREEDY).tokens
    assert generation.timings.decode_tokens is None
    assert generation.timings.decode_s is None


def test_a_prompt_longer_than_a_batch_is_processed_whole(engine: LlamaCppEngine) -> None:
    small, found = open_engine(batch=32, micro_batch=16)
    assert found.settings["batch"] == "32"
    assert found.settings["micro_batch"] == "16"
    tokens = small.encode(LONG, FIXED).tokens
    assert tokens is not None
    assert tokens > 64
    generation, stamps = run(small, FIXED, LONG)
    assert generation.timings is not None
    assert generation.timings.prefill_tokens == tokens
    assert stamps.ids[0] == run(engine, FIXED, LONG)[1].ids[0]
    small.free()


def test_prompts_of_one_and_of_a_batch_and_one_token(engine: LlamaCppEngine) -> None:
    plain = msgspec.structs.replace(FIXED, chat=False)
    assert len(run(engine, plain, (Message(role="user", content="a"),))[1].ids) == 32
    small, _ = open_engine(batch=8)
    words = (Message(role="user", content=" a" * 9),)
    assert small.encode(words, plain).tokens == 9
    timings = run(small, plain, words)[0].timings
    assert timings is not None
    assert timings.prefill_tokens == 9
    assert timings.decode_tokens == 31
    small.free()


def test_seeds_and_their_parameters_reach_sampling(engine: LlamaCppEngine) -> None:
    def sampled(seed: int, **change: object) -> list[int]:
        changed = msgspec.structs.replace(FIXED, temperature=3.0, seed=seed, **change)
        return run(engine, changed)[1].ids

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)
    assert sampled(0xFFFFFFFF) == sampled(0xFFFFFFFF), "llama.cpp's own word for a random seed"
    greedy = run(engine, FIXED)[1].ids
    assert sampled(1, top_k=1) == greedy
    assert sampled(1, top_p=1e-9) == greedy


def test_what_it_is_and_how_it_runs_is_recorded() -> None:
    engine, found = open_engine(kv_type_k="q8_0", kv_type_v="q8_0", threads_batch=2, mmap=False)
    engine.free()
    assert found.identity["quantization"] == "F16"
    assert found.identity["kv_cache"] == "q8_0/q8_0"
    assert found.identity["device"] == found.device == "cpu"
    assert len(found.identity["weights"]) == 16
    assert found.context_tokens == 1024
    settings = found.settings
    assert settings["threads"] == "1"
    assert settings["threads_batch"] == "2"
    assert settings["context"] == settings["trained_context"] == "1024"
    assert settings["flash_attention"] == "enabled"
    assert settings["gpu_layers"] == "0"
    assert settings["load_mode"] == "none"
    assert "CPU" in settings["buffers"]


@pytest.mark.parametrize(("asked", "recorded"), [(True, "enabled"), (False, "disabled")])
def test_flash_attention_is_what_was_asked_for(*, asked: bool, recorded: str) -> None:
    engine, found = open_engine(flash_attention=asked)
    assert found.settings["flash_attention"] == recorded
    assert run(engine)[0].text == "Paris is the capital of France."
    engine.free()


def test_flash_attention_and_mapping_are_recorded_where_llama_cpp_chooses() -> None:
    engine, found = open_engine()
    engine.free()
    assert found.settings["flash_attention"] in ("enabled", "disabled")
    assert found.settings["load_mode"] == "mmap"


def test_a_quantized_model_is_smaller_and_another() -> None:
    whole, found = open_engine()
    small, others = open_engine(model=demo_form("q4_k_m.gguf"))
    whole.free()
    small.free()
    assert others.identity["quantization"].startswith("Q4_K")
    assert others.identity["weights"] != found.identity["weights"]
    assert found.model_bytes == pytest.approx(2 * 3_607_296, rel=0.001)
    assert others.model_bytes is not None
    assert others.model_bytes < found.model_bytes / 3


@pytest.mark.parametrize(("asked", "tokens"), [(None, 1024), (0, 1024), (512, 512)])
def test_the_context_is_the_model_s_unless_told_otherwise(asked: int | None, tokens: int) -> None:
    engine, found = open_engine(context=asked)
    engine.free()
    assert found.context_tokens == tokens


def test_a_small_context_is_the_one_asked_for_though_the_cache_holds_more() -> None:
    engine, found = open_engine(context=16)
    engine.free()
    assert found.context_tokens == 16
    assert (found.settings["context"], found.settings["cache_tokens"]) == ("16", "256")


def test_a_prompt_beyond_the_context_asked_for_is_refused() -> None:
    pool = WorkerPool()
    options = {"model": demo_form("f16.gguf"), "device": "cpu", "threads": 1, "context": 16}
    worker = pool.open(variant("v", "llama-cpp", **options))
    worker.start()
    try:
        worker.load()
        with pytest.raises(CaseError, match="the model's context is 16 tokens; shorten the prompt"):
            worker.generate(QUESTION, GREEDY, "a test")
        prompt = worker.generate(
            QUESTION, msgspec.structs.replace(GREEDY, max_new_tokens=1), "a test"
        ).trace.prompt_tokens
        assert prompt is not None
        whole = msgspec.structs.replace(FIXED, max_new_tokens=16 - prompt)
        assert len(worker.generate(QUESTION, whole, "a test").trace.token_ids) == 16 - prompt
        beyond = msgspec.structs.replace(FIXED, max_new_tokens=17 - prompt)
        with pytest.raises(CaseError, match=r"make 17, but the model's context is 16 tokens"):
            worker.generate(QUESTION, beyond, "a test")
    finally:
        pool.close()


def test_a_long_trained_context_is_not_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "LONGEST_CONTEXT", 512)
    engine, found = open_engine()
    engine.free()
    assert found.context_tokens == 512
    assert found.settings["trained_context"] == "1024"


def test_a_worker_counts_warnings_and_gets_its_memory_back() -> None:
    pool = WorkerPool()
    options = {"model": demo_form("f16.gguf"), "device": "cpu", "threads": 1, "context": 131_072}
    worker = pool.open(variant("v", "llama-cpp", **options))
    worker.start()
    loaded = worker.load()
    try:
        assert any("training context overflow" in warning for warning in loaded.warnings)
        trace = worker.generate(QUESTION, GREEDY, "a test").trace
        assert trace.text == "Paris is the capital of France."
        assert trace.timings is not None
        life = worker.free().life
    finally:
        pool.close()
    before, after, freed = (
        moment.host.rss
        for moment in (life.before, life.after_load, life.after_free)
        if moment is not None and moment.host is not None
    )
    taken = after - before
    assert taken > 300e6, "the cache of a context this long"
    assert freed - before < taken / 10


def test_free_closes_everything_and_may_be_called_twice() -> None:
    engine, _ = open_engine()
    loaded = engine._ready()
    engine.free()
    engine.free()
    gc.collect()
    assert loaded.model is None
    assert loaded.context is None
