"""The engine mlx: what it loads, how it generates, what it refuses; real, in workers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pytest_llmbench.config import read_builtin
from pytest_llmbench.config.place import Place
from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.engines import create_engine
from pytest_llmbench.engines.mlx import MlxOptions
from pytest_llmbench.engines.mlx.model import rope_of
from pytest_llmbench.engines.mlx.tokens import ByteTokens
from pytest_llmbench.errors import CaseError, EngineNotInstalledError, LoadError
from pytest_llmbench.worker import Worker, WorkerPool
from pytest_llmbench.worker.messages import Loaded
from tests.support import DEMO_MODEL, ROOT, demo_form, variant

GREEDY = Parameters(
    max_new_tokens=32, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
FIXED = msgspec.structs.replace(GREEDY, length="fixed")
QUESTION = (Message(role="user", content="What is the capital of France?"),)


class Models:
    """One process for each engine; a model is loaded anew when it is not the last one asked for."""

    def __init__(self) -> None:
        self._pool = WorkerPool()
        self._workers: dict[str, Worker] = {}
        self.told: dict[str, Loaded] = {}

    def __call__(self, engine: str = "mlx", **options: object) -> Model:
        return Model(self, engine, {"model": DEMO_MODEL, "device": "cpu", **options})

    def loaded(self, engine: str, options: dict[str, object]) -> Worker:
        if engine not in self._workers:
            self._workers[engine] = self._pool.open(variant(engine, engine))
            self._workers[engine].start()
        worker = self._workers[engine]
        self._pool.focus(worker)
        if worker.variant.options != options:
            worker.variant = variant(engine, engine, **options)
            self.told[engine] = worker.load()
        return worker

    def close(self) -> None:
        self._pool.close()


class Model:
    """A model as its options describe it."""

    def __init__(self, models: Models, engine: str, options: dict[str, object]) -> None:
        self._models, self._engine, self._options = models, engine, options
        self.worker()
        self.facts = models.told[engine].facts
        self.warnings = models.told[engine].warnings

    def worker(self) -> Worker:
        return self._models.loaded(self._engine, self._options)

    def ask(self, parameters: Parameters = GREEDY, text: str | None = None) -> Trace:
        messages = QUESTION if text is None else (Message(role="user", content=text),)
        return self.worker().generate(messages, parameters, "a test").trace

    def peak(self, text: str) -> int:
        """The allocator's peak over one generation, in bytes."""
        messages = (Message(role="user", content=text),)
        generated = self.worker().generate(messages, GREEDY, "a test", memory_pass=True)
        assert generated.memory.device.alloc_peak <= generated.memory.device.reserved_peak
        return generated.memory.device.alloc_peak


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    models = Models()
    yield models
    models.close()


def refused(models: Models, **options: object) -> str:
    """What a model that can't be loaded says."""
    with pytest.raises(LoadError) as caught:
        models(**options)
    return str(caught.value)


def copied(target: Path, **changes: object) -> str:
    """The demo model's folder with another config.json, where a ``None`` takes a key away."""
    folder = target / "model"
    shutil.copytree(DEMO_MODEL, folder)
    config = json.loads((folder / "config.json").read_text()) | changes
    told = {key: value for key, value in config.items() if value is not None}
    (folder / "config.json").write_text(json.dumps(told))
    return str(folder)


def config_only(target: Path, **changes: object) -> str:
    folder = target / "bare"
    folder.mkdir(parents=True)
    shutil.copy(Path(copied(target, **changes)) / "config.json", folder)
    return str(folder)


# --- what it loads ------------------------------------------------------------------------------


@pytest.mark.engine("mlx")
@pytest.mark.engine("transformers")
def test_float32_says_what_transformers_says(models: Models) -> None:
    prompts = read_builtin("tasks", Place("a test"))
    ours = models(dtype="float32")
    answers = [ours.ask(GREEDY, p.messages[-1].content) for p in prompts]
    theirs = models("transformers", dtype="float32", threads=1)
    expected = [theirs.ask(GREEDY, p.messages[-1].content) for p in prompts]
    assert ours.facts.identity["dtype"] == "float32"
    assert [a.prompt_tokens for a in answers] == [e.prompt_tokens for e in expected]
    same = sum(a.token_ids == e.token_ids for a, e in zip(answers, expected, strict=True))
    assert same >= 0.9 * len(prompts)


@pytest.mark.engine("mlx")
@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2), ("auto", 2)])
def test_precision_is_what_was_asked_for(models: Models, dtype: str, size: int) -> None:
    model = models(dtype=dtype)
    facts = model.facts
    assert facts.identity["dtype"] == ("float16" if dtype == "auto" else dtype)
    assert facts.identity["quantization"] == "none"
    assert 3.5e6 < facts.model_bytes / size < 3.7e6
    assert (facts.device, facts.context_tokens) == ("cpu", 1024)
    assert facts.settings["backend"] == "cpu"
    assert not facts.random_weights
    assert "Paris" in model.ask().text


@pytest.mark.engine("mlx")
@pytest.mark.parametrize(
    ("options", "form", "bits"),
    [
        ({"model": "mlx-4bit"}, "4-bit affine, groups of 64", 4 + 2 * 32 / 64),
        ({"quantization": "mlx-4bit", "dtype": "float32"}, "4-bit affine, groups of 64", 5),
        (
            {"quantization": "mlx-8bit", "group_size": 32, "dtype": "float32"},
            "8-bit affine, groups of 32",
            8 + 2 * 32 / 32,
        ),
    ],
    ids=["stored", "four", "eight"],
)
def test_quantized_weights_are_small_named_and_answer(
    models: Models, options: dict[str, object], form: str, bits: float
) -> None:
    if options.get("model"):
        options = {**options, "model": demo_form(str(options["model"]))}
    model = models(**options)
    assert model.facts.identity["quantization"] == form
    assert model.facts.model_bytes / 3.6e6 * 8 == pytest.approx(bits, rel=0.02)
    assert "Paris" in model.ask().text


@pytest.mark.engine("mlx")
def test_mlx_and_hugging_face_folders_of_the_same_weights_say_the_same(models: Models) -> None:
    stored, original = models(model=demo_form("mlx-f16")), models()
    assert stored.ask(FIXED).token_ids == original.ask(FIXED).token_ids
    assert stored.facts.identity["model"] == "mlx-f16"
    assert stored.facts.model_bytes == original.facts.model_bytes


@pytest.mark.engine("mlx")
@pytest.mark.parametrize("form", ["mlx-f16", "mlx-4bit"])
def test_the_forms_tokenize_as_the_model_does(form: str) -> None:
    from transformers import AutoTokenizer

    ours, theirs = (AutoTokenizer.from_pretrained(f) for f in (demo_form(form), DEMO_MODEL))
    for suite in ("exo-five", "tasks", "bootcamp-three"):
        for prompt in read_builtin(suite, Place("a test")):
            turns = [msgspec.to_builtins(message) for message in prompt.messages]
            texts = [turn["content"] for turn in turns]
            assert ours(texts)["input_ids"] == theirs(texts)["input_ids"]
            apply = (
                t.apply_chat_template(turns, add_generation_prompt=True) for t in (ours, theirs)
            )
            assert next(apply)["input_ids"] == next(apply)["input_ids"]


@pytest.mark.engine("mlx")
@pytest.mark.engine("transformers")
def test_a_rotary_base_that_transformers_5_wrote_is_heeded(models: Models, tmp_path: Path) -> None:
    """mlx-lm's Llama looks for ``rope_theta`` alone, and takes 10000 where it is not."""
    turned = copied(tmp_path, rope_parameters={"rope_theta": 50.0, "rope_type": "default"})
    ours = models(model=turned, dtype="float32").ask(FIXED)
    theirs = models("transformers", model=turned, dtype="float32", threads=1).ask(FIXED)
    assert ours.token_ids == theirs.token_ids
    assert ours.token_ids != models(dtype="float32").ask(FIXED).token_ids


def test_rotary_keys_are_handed_over_where_they_are_missing() -> None:
    scaled = {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8.0}
    assert rope_of({"rope_parameters": scaled}) == {"rope_theta": 5e5, "rope_scaling": scaled}
    assert rope_of({"rope_parameters": scaled, "rope_theta": 1.0}) == {"rope_scaling": scaled}
    assert rope_of({"rope_theta": 1.0}) == {}
    assert rope_of({"rope_parameters": {"full_attention": scaled}}) == {}
    nested = rope_of({"text_config": {"a": 1, "rope_parameters": {"rope_theta": 2.0}}})
    assert nested["text_config"]["rope_theta"] == 2.0
    assert nested["text_config"]["a"] == 1


# --- how it generates ---------------------------------------------------------------------------


@pytest.mark.engine("mlx")
def test_rounds_repeat_and_pay_for_their_whole_prompt(models: Models) -> None:
    model = models(dtype="float32")
    one, other = (model.ask(GREEDY, "Name three colours. " * 20) for _ in range(2))
    assert one.token_ids == other.token_ids
    assert len(one.stamps_ns) == len(one.token_ids)
    assert list(one.stamps_ns) == sorted(one.stamps_ns)
    assert (one.cached_prompt_tokens, other.cached_prompt_tokens) == (0, 0)
    assert other.prompt_tokens == one.prompt_tokens > 60
    assert one.timings is None


@pytest.mark.engine("mlx")
def test_the_end_token_counts_and_its_text_is_not_shown(models: Models) -> None:
    model = models(dtype="float32")
    natural, fixed = model.ask(), model.ask(FIXED)
    assert natural.finish_reason == "stop"
    assert natural.token_ids[-1] == 0
    assert "<|" not in natural.text
    assert (len(fixed.token_ids), fixed.finish_reason) == (32, "length")
    assert fixed.token_ids[: len(natural.token_ids)] == natural.token_ids


@pytest.mark.engine("mlx")
def test_every_end_token_of_the_checkpoint_ends(models: Models, tmp_path: Path) -> None:
    natural = models(dtype="float32").ask()
    second = natural.token_ids[1]
    folder = Path(copied(tmp_path))
    path = folder / "generation_config.json"
    path.write_text(json.dumps({"eos_token_id": [0, second], "do_sample": True, "top_k": 5}))
    assert models(model=str(folder), dtype="float32").ask().token_ids == natural.token_ids[:2]


@pytest.mark.engine("mlx")
def test_seeds_and_their_parameters_reach_sampling(models: Models) -> None:
    model = models(dtype="float32")

    def sampled(seed: int, **change: object) -> tuple[int, ...]:
        hot = msgspec.structs.replace(FIXED, temperature=3.0, seed=seed, **change)
        return model.ask(hot).token_ids

    greedy = model.ask(FIXED).token_ids
    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)
    assert sampled(1, top_k=1) == greedy
    assert sampled(1, top_p=1e-9) == greedy
    assert sampled(1, top_k=10**6) == sampled(1)
    assert len({sampled(seed, top_k=2) for seed in range(4)}) > 1


@pytest.mark.engine("mlx")
def test_templates_are_applied_unless_told_otherwise(models: Models, tmp_path: Path) -> None:
    with_it, without = (msgspec.structs.replace(GREEDY, chat=chat) for chat in (True, False))
    model = models(dtype="float32")
    auto = model.ask().prompt_tokens
    assert model.ask(with_it).prompt_tokens == auto
    assert model.ask(without).prompt_tokens < auto
    with pytest.raises(CaseError, match="the prompt has no tokens"):
        model.ask(without, "")
    bare = Path(copied(tmp_path))
    (bare / "chat_template.jinja").unlink()
    model = models(model=str(bare))
    assert model.ask().token_ids
    with pytest.raises(CaseError, match="no chat template; leave chat out"):
        model.ask(with_it)


@pytest.mark.engine("mlx")
def test_prompts_in_steps_and_a_quantized_cache(models: Models) -> None:
    model = models(dtype="float32")
    plain, long = model.ask(), model.ask(FIXED)
    stepped = models(dtype="float32", prefill_step_size=3)
    assert stepped.ask().text == plain.text
    assert stepped.facts.settings["prefill_step_size"] == "3"
    small = models(dtype="float32", kv_bits=8)
    assert small.ask().text == plain.text
    assert small.facts.identity["kv_cache"] == "8-bit"
    assert models(dtype="float32", kv_bits=2).ask(FIXED).token_ids != long.token_ids


@pytest.mark.engine("mlx")
def test_a_cache_that_forgets(models: Models, tmp_path: Path) -> None:
    """mlx-lm's Llama makes a cache of its own, its Qwen 2 takes the one it is given."""
    model = config_only(tmp_path, model_type="qwen2", rope_theta=10000.0)
    asked = {"model": model, "weights": "random", "dtype": "float32", "prefill_step_size": 32}
    whole, short = models(**asked).peak("a" * 900), models(max_kv_size=64, **asked)
    assert short.facts.identity["kv_cache"] == "64 tokens"
    assert short.peak("a" * 900) < whole
    assert len(short.ask(FIXED, "a" * 300).token_ids) == 32


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.engine("mlx")
def test_the_allocator_s_peak_is_the_pass_s_own(models: Models) -> None:
    model = models(dtype="float32")
    small, large = model.peak("Hello."), model.peak("Hello. " * 150)
    assert model.facts.model_bytes < small < large
    assert model.peak("Hello.") == pytest.approx(small, rel=0.05)


@pytest.mark.engine("mlx")
def test_free_gives_the_memory_back(tmp_path: Path) -> None:
    wide = config_only(tmp_path, hidden_size=1024, intermediate_size=4096, dtype="float32")
    pool = WorkerPool()
    worker = pool.open(variant("v", "mlx", model=wide, weights="random", device="cpu"))
    try:
        worker.start()
        loaded = worker.load()
        size = loaded.facts.model_bytes
        assert size > 250e6
        assert loaded.life.after_load.host.rss - loaded.life.before.host.rss > 0.9 * size
        freed = worker.free().life
    finally:
        pool.close()
    assert freed.after_load.host.rss - freed.after_free.host.rss > 0.8 * size


# --- random weights -----------------------------------------------------------------------------


@pytest.mark.engine("mlx")
def test_random_weights_need_a_config_alone(models: Models, tmp_path: Path) -> None:
    bare = config_only(tmp_path)
    model = models(model=bare, weights="random")
    facts, trace = model.facts, model.ask(FIXED)
    assert facts.random_weights
    assert (facts.identity["weights"], facts.identity["tokenizer"]) == ("random", "bytes")
    assert facts.identity["dtype"] == "float16"
    assert trace.prompt_tokens == len(QUESTION[0].content.encode())
    assert trace.text.split() == [str(token) for token in trace.token_ids if token != 0]
    with pytest.raises(CaseError, match="have no tokenizer; leave chat out"):
        model.ask(msgspec.structs.replace(GREEDY, chat=True))
    again = models(model=bare, weights="random", prefill_step_size=2047)
    assert again.ask(FIXED).token_ids == trace.token_ids
    stored = models().facts
    assert facts.model_bytes == stored.model_bytes
    assert not stored.random_weights


@pytest.mark.engine("mlx")
def test_random_weights_take_a_tokenizer_and_a_quantization(models: Models, tmp_path: Path) -> None:
    bare, asked = config_only(tmp_path), {"weights": "random", "dtype": "float32"}
    own = models(model=bare, tokenizer=DEMO_MODEL, quantization="mlx-4bit", **asked)
    assert own.facts.identity["quantization"] == "4-bit affine, groups of 64"
    assert len(own.facts.identity["tokenizer"]) == 16
    counted = own.ask().prompt_tokens
    as_stored = models(model=demo_form("mlx-4bit"), **asked)
    assert as_stored.facts.identity["quantization"] == own.facts.identity["quantization"]
    assert as_stored.facts.model_bytes == own.facts.model_bytes
    assert as_stored.ask().prompt_tokens == counted
    few = config_only(tmp_path / "few", vocab_size=100)
    message = "the tokenizer has 2560 tokens, but the model's vocabulary holds 100"
    assert message in refused(models, model=few, tokenizer=DEMO_MODEL, **asked)


def test_bytes_stay_within_the_vocabulary() -> None:
    tokens = ByteTokens(100, [7])
    ids = tokens.encode((Message(role="user", content="aé"),), GREEDY)
    assert ids == [97, 0xC3 % 100, 0xA9 % 100]
    assert tokens.text([3, 7]) == "3"


# --- adapters -----------------------------------------------------------------------------------

_MAKE_ADAPTER = """
import json, sys
from pathlib import Path
import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import load_model

model, _ = load_model(Path(sys.argv[1]))
told = {"rank": 4, "scale": 20.0, "dropout": 0.0}
model.freeze()
linear_to_lora_layers(model, 5, told)
mx.random.seed(1)
drawn = {n: mx.random.normal(w.shape) * 0.1 for n, w in tree_flatten(model.trainable_parameters())}
target = Path(sys.argv[2])
target.mkdir()
mx.save_safetensors(str(target / "adapters.safetensors"), drawn)
config = {"fine_tune_type": "lora", "num_layers": 5, "lora_parameters": told}
(target / "adapter_config.json").write_text(json.dumps(config))
"""


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A LoRA adapter in mlx-lm's form, of weights drawn by chance; made in a process of its own."""
    target = tmp_path_factory.mktemp("mlx") / "adapter"
    make = [sys.executable, "-c", _MAKE_ADAPTER, DEMO_MODEL, str(target)]
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return str(target)


@pytest.mark.engine("mlx")
def test_an_adapter_changes_the_answer_and_the_identity(models: Models, adapter: str) -> None:
    plain = models(dtype="float32")
    straight = plain.ask(FIXED).token_ids
    adapted = models(dtype="float32", adapter=adapter)
    bent = adapted.ask(FIXED).token_ids
    assert bent != straight
    assert adapted.ask(FIXED).token_ids == bent
    assert "adapter" not in plain.facts.identity
    assert len(adapted.facts.identity["adapter"]) == 16
    assert adapted.facts.model_bytes > plain.facts.model_bytes
    quantized = models(dtype="float32", adapter=adapter, quantization="mlx-8bit")
    assert quantized.ask(FIXED).token_ids != straight
    assert quantized.facts.identity["adapter"] == adapted.facts.identity["adapter"]


# --- what it refuses ----------------------------------------------------------------------------


@pytest.mark.engine("mlx")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "nobody/nothing"}, "neither a folder .* nor a model that the hub gave: Cannot"),
        ({"model": "./none"}, "the model folder .* does not exist; correct the path"),
        ({"model": "tests"}, "has no config.json, so there is no model in it; correct the path"),
        ({"device": "gpu"}, 'mlx .* has no gpu here; write device = "cpu"'),
        ({"max_kv_size": 64}, "makes a cache of its own, .*; leave max_kv_size out"),
        ({"adapter": DEMO_MODEL}, "has no adapter_config.json and no adapters.safetensors; name"),
    ],
)
def test_what_can_not_be_loaded_says_why(
    models: Models, options: dict[str, str], message: str
) -> None:
    if options.get("device") == "gpu" and sys.platform == "darwin":
        pytest.skip("there is a GPU")
    found = refused(models, **options)
    assert re.search(message, found), found


@pytest.mark.engine("mlx")
def test_models_that_can_not_be_loaded_say_why(models: Models, tmp_path: Path) -> None:
    unknown = refused(models, model=copied(tmp_path / "a", model_type="nonsense"))
    assert "Model type nonsense not supported." in unknown
    assert 'run the model under engine = "transformers"' in unknown
    assert "model_type" in refused(models, model=copied(tmp_path / "b", model_type=None))
    own = refused(models, model=copied(tmp_path / "c", model_file="own.py"))
    assert "Write trust_remote_code = true if you trust the model" in own
    odd = copied(tmp_path / "d", quantization_config={"quant_method": "gptq", "bits": 4})
    assert "take the config.json of a plain model" in refused(models, model=odd, weights="random")
    already = refused(models, model=demo_form("mlx-4bit"), quantization="mlx-8bit")
    assert "is quantized already (4-bit affine, groups of 64); leave quantization out" in already


@pytest.mark.engine("mlx")
def test_widths_that_no_group_fits(models: Models, tmp_path: Path) -> None:
    narrow = config_only(tmp_path / "a", hidden_size=96, intermediate_size=96, head_dim=24)
    asked = {"weights": "random", "quantization": "mlx-4bit", "dtype": "float32"}
    found = refused(models, model=narrow, **asked)
    assert "is no multiple of group_size = 64; write a smaller group_size" in found
    odd = models(model=config_only(tmp_path / "b", intermediate_size=544), **asked)
    assert [w for w in odd.warnings if "the width of 5 of 36 layers is no multiple" in w]


@pytest.mark.engine("mlx")
def test_an_adapter_of_peft_says_what_to_do(models: Models, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    found = refused(models, adapter=str(tmp_path))
    assert "has no adapters.safetensors; name one that mlx_lm.lora wrote. It is peft's" in found


def test_an_absent_library_names_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    with pytest.raises(EngineNotInstalledError, match=r"pip install 'pytest-llmbench\[mlx\]'"):
        create_engine("mlx").start()


@pytest.mark.engine("mlx")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the backend comes with mlx")
def test_mlx_without_a_backend_names_the_line_to_type(tmp_path: Path) -> None:
    """What Linux has after ``pip install mlx`` alone: no library behind the Python module."""
    import importlib.util

    package = Path(next(iter(importlib.util.find_spec("mlx").submodule_search_locations)))
    shutil.copytree(package, tmp_path / "mlx", ignore=shutil.ignore_patterns("lib", "include"))
    script = (
        "from pytest_llmbench.engines import create_engine\n"
        "try:\n    create_engine('mlx').start()\n"
        "except Exception as exc:\n    print(type(exc).__name__, exc)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=True,
    )
    assert done.stdout.startswith("EngineNotInstalledError the package mlx is installed without")
    assert "pip install 'mlx[cpu]'" in done.stdout


@pytest.mark.engine("mlx")
def test_the_survey_names_what_works() -> None:
    script = "from pytest_llmbench.engines.mlx import survey; print(survey())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "devices=('cpu'" in done.stdout
    assert "mlx computes on" in done.stdout


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ({"model": "./none"}, "model"),
        ({"model": "tests/none"}, "model"),
        ({"model": "README.md"}, "model"),
        ({"model": "tests"}, "model"),
        ({"model": "owner/name"}, None),
        ({"model": DEMO_MODEL}, None),
        ({"model": DEMO_MODEL, "tokenizer": "./none"}, "tokenizer"),
        ({"model": DEMO_MODEL, "adapter": "owner/name"}, "adapter"),
        ({"model": "m", "kv_bits": 4, "max_kv_size": 128}, "kv_bits"),
        ({"model": "m", "group_size": 32}, "group_size"),
        ({"model": "m", "group_size": 32, "quantization": "mlx-4bit"}, None),
    ],
)
def test_keys_that_can_not_work_are_found_without_mlx(
    keys: dict[str, object], key: str | None
) -> None:
    found = msgspec.convert(keys, MlxOptions).problem(ROOT)
    assert (found and found[0]) == key


def test_what_is_no_model_for_mlx_says_what_to_write(tmp_path: Path) -> None:
    empty, lora, held = (tmp_path / name for name in ("empty", "lora", "held"))
    for folder in (empty, lora, held):
        folder.mkdir()
    (lora / "adapter_config.json").write_text("{}")
    (held / "a.gguf").write_bytes(b"GGUF")
    told = {
        empty: "empty has no config.json, so there is no model in it; correct the path",
        lora: "holds an adapter and no model; write it as adapter, and the model that it was",
        held: 'but GGUF files; name one of them under engine = "llama-cpp"',
        held / "a.gguf": 'is a GGUF file, which mlx-lm does not read; write engine = "llama-cpp"',
    }
    for path, message in told.items():
        found = MlxOptions(model=str(path)).problem(ROOT)
        assert found is not None
        assert found[0] == "model"
        assert message in found[1]


@pytest.mark.engine("mlx")
def test_what_is_no_model_says_so_where_it_is_loaded_unchecked(
    models: Models, tmp_path: Path
) -> None:
    """As on another host, whose paths are not checked before."""
    (tmp_path / "adapter_config.json").write_text("{}")
    assert "holds an adapter and no model; write" in refused(models, model=str(tmp_path))
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    assert 'write engine = "llama-cpp"' in refused(models, model=str(tmp_path / "a.gguf"))
