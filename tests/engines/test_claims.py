"""What a variant says it takes before it is loaded: by its keys and files, without its engine."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_llmbench.domain.claim import PROCESS_BYTES, Claim
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.registry import BUILT_IN
from tests.support import DEMO_MODEL, ROOT

UNKNOWN = Claim(host_bytes=None, device_bytes=None, device=None)
LORA = str(ROOT / "examples" / "demo_model" / "lora")
SHAPE = {
    "vocab_size": 100,
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
WEIGHTS = 2 * 100 * 8 + 2 * (2 * 8 * 2 * (4 + 2) + 3 * 8 * 16 + 4 * 8) + 8


@pytest.fixture(autouse=True)
def nothing_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No cache of the hub and no models of Ollama but the test's own."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "ollama"))
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    return


def claim(engine: str, base_dir: Path = ROOT, **keys: object) -> Claim:
    """What a variant with these keys takes, its process's share left out."""
    found = msgspec.convert(keys, BUILT_IN[engine].options_type()).claim(base_dir)
    return msgspec.structs.replace(
        found, host_bytes=less(found.host_bytes), device_bytes=less(found.device_bytes)
    )


def less(size: int | None) -> int | None:
    return None if size is None else size - PROCESS_BYTES


def model(folder: Path, *, size: int = 1000, **config: object) -> Path:
    """A folder with a config and weights of so many bytes."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(bytes(size))
    return folder


def cached(hub: Path, name: str, **config: object) -> Path:
    """The same in the hub's cache, as what ``main`` stands for."""
    repository = hub / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    return model(repository / "snapshots" / "abc", **config)


def gguf(path: Path, *, size: int = 1000, **told: object) -> Path:
    """A GGUF file of so many bytes that tells the shape of a model."""
    entries = [_entry(f"test.{key}", value) for key, value in told.items()]
    entries = [_entry("general.architecture", "test"), *entries, _entry("tokenizer.model", "no")]
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries)
    path.write_bytes(head.ljust(size, b"\0"))
    return path


def _entry(key: str, value: object) -> bytes:
    return _text(key) + _typed(value)


def _typed(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    if isinstance(value, list):
        numbers = b"".join(struct.pack("<i", number) for number in value)
        return struct.pack("<IIQ", 9, 5, len(value)) + numbers
    return struct.pack("<II", 4, value)


def _text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def test_an_engine_that_says_nothing_is_not_known(tmp_path: Path) -> None:
    class Keys(EngineKeys, frozen=True, kw_only=True):
        """No keys."""

    assert Keys().claim(tmp_path) == UNKNOWN


def test_every_engine_says_something_without_its_library() -> None:
    script = """
import sys, msgspec, pathlib
from pytest_llmbench.engines.registry import BUILT_IN
for name, entry in BUILT_IN.items():
    keys = {"model": "a/b", "base_url": "http://127.0.0.1:1"}
    kind = entry.options_type()
    known = {key: value for key, value in keys.items() if key in kind.__struct_fields__}
    print(name, msgspec.convert(known, kind).claim(pathlib.Path(".")).host_bytes)
print("LOADED", *sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    said, _, loaded = done.stdout.partition("LOADED")
    heavy = {"torch", "transformers", "llama_cpp", "mlx", "httpx", "numpy", "huggingface_hub"}
    assert not heavy & set(loaded.split())
    assert len(said.splitlines()) == len(BUILT_IN)


def test_scripted_takes_what_it_is_told() -> None:
    assert claim("scripted", load_bytes=77).host_bytes == 77


@pytest.mark.parametrize(
    ("keys", "times"),
    [
        ({}, 2),
        ({"dtype": "float16"}, 1),
        ({"dtype": "bfloat16"}, 1),
        ({"dtype": "float32"}, 2),
    ],
)
def test_transformers_counts_files_as_they_are_loaded(
    tmp_path: Path, keys: dict[str, str], times: int
) -> None:
    model(tmp_path / "m", dtype="float16")
    assert (
        claim("transformers", tmp_path, model="m", device="cpu", **keys).host_bytes == times * 1000
    )


@pytest.mark.parametrize("config", [{}, {"dtype": "float16", "quantization_config": {}}])
def test_transformers_doubles_what_does_not_tell(tmp_path: Path, config: dict[str, object]) -> None:
    model(tmp_path / "m", **config)
    told = claim("transformers", tmp_path, model="m", device="cpu", dtype="float16")
    assert told.host_bytes == 2000


def test_transformers_packs_what_is_quantized_but_not_the_ends(tmp_path: Path) -> None:
    ends = 2 * 100 * 8
    model(tmp_path / "m", size=2 * (ends + 800), torch_dtype="bfloat16", **SHAPE)
    asked = {"model": "m", "device": "cpu"}
    eight = claim("transformers", tmp_path, quantization="bnb-int8", **asked)
    four = claim("transformers", tmp_path, quantization="bnb-nf4", **asked)
    assert eight.host_bytes == 2 * ends + 900
    assert four.host_bytes == 2 * ends + 500
    wide = claim("transformers", tmp_path, quantization="bnb-nf4", dtype="float32", **asked)
    assert wide.host_bytes == 4 * ends + 500


@pytest.mark.parametrize("more", [{"num_experts": 4}, {"text_config": {}}])
def test_transformers_packs_nothing_of_what_it_does_not_know(
    tmp_path: Path, more: dict[str, object]
) -> None:
    model(tmp_path / "m", dtype="float16", **SHAPE, **more)
    told = claim("transformers", tmp_path, model="m", device="cpu", quantization="bnb-nf4")
    assert told.host_bytes == 1000


def test_transformers_counts_an_adapter_in_32_bits(tmp_path: Path) -> None:
    asked = {"model": DEMO_MODEL, "device": "cpu", "dtype": "float16"}
    plain = claim("transformers", tmp_path, **asked).host_bytes
    assert plain == Path(DEMO_MODEL, "model.safetensors").stat().st_size
    adapted = claim("transformers", tmp_path, adapter=LORA, **asked).host_bytes
    assert adapted == plain + 2 * Path(LORA, "adapter_model.safetensors").stat().st_size
    assert claim("transformers", tmp_path, adapter="not/cached", **asked).host_bytes is None


def test_transformers_makes_some_weights_whole_before_they_are_quantized(tmp_path: Path) -> None:
    model(tmp_path / "m", size=2 * (1600 + 800), dtype="float16", **SHAPE)
    asked = {"model": "m", "quantization": "bnb-int8", "device": "cuda:1"}
    straight = claim("transformers", tmp_path, **asked)
    drawn = claim("transformers", tmp_path, weights="random", **asked)
    assert (straight.host_bytes, straight.device_bytes) == (0, 3200 + 900)
    assert drawn.host_bytes == 2 * WEIGHTS
    assert (drawn.device, straight.device) == ("cuda:1", "cuda:1")


@pytest.mark.parametrize(("dtype", "width"), [("auto", 2), ("float32", 4), ("bfloat16", 2)])
@pytest.mark.parametrize("engine", ["transformers", "mlx"])
def test_random_weights_are_counted_by_the_config(
    tmp_path: Path, engine: str, dtype: str, width: int
) -> None:
    model(tmp_path / "m", dtype="bfloat16", **SHAPE)
    told = claim(engine, tmp_path, model="m", weights="random", device="cpu", dtype=dtype)
    assert told.host_bytes == width * WEIGHTS


@pytest.mark.parametrize("engine", ["transformers", "mlx"])
def test_random_weights_of_another_shape_are_not_known(tmp_path: Path, engine: str) -> None:
    model(tmp_path / "m", text_config=SHAPE)
    told = claim(engine, tmp_path, model="m", weights="random", device="cpu")
    assert told == UNKNOWN


@pytest.mark.parametrize(
    ("device", "where"),
    [("cpu", None), ("mps", None), ("cuda", "cuda:0"), ("cuda:3", "cuda:3"), ("auto", "auto")],
)
def test_transformers_counts_where_the_weights_go(
    tmp_path: Path, device: str, where: str | None
) -> None:
    model(tmp_path / "m", dtype="float16")
    told = claim("transformers", tmp_path, model="m", dtype="float16", device=device)
    assert told.device == where
    assert told.host_bytes == (0 if device.startswith("cuda") else 1000)
    assert told.device_bytes == (None if where is None else 1000)


@pytest.mark.parametrize("engine", ["transformers", "mlx"])
def test_a_model_of_the_hub_is_looked_up_in_the_cache(tmp_path: Path, engine: str) -> None:
    asked = {"model": "owner/name", "device": "cpu", "dtype": "float16"}
    assert claim(engine, tmp_path, **asked) == UNKNOWN
    cached(tmp_path / "hub", "owner/name", dtype="float16")
    assert claim(engine, tmp_path, **asked).host_bytes == 1000
    assert claim(engine, tmp_path, revision="abc", **asked).host_bytes == 1000
    assert claim(engine, tmp_path, revision="def", **asked).host_bytes is None


@pytest.mark.parametrize("engine", ["transformers", "mlx", "llama-cpp"])
def test_a_path_without_a_model_is_not_known(tmp_path: Path, engine: str) -> None:
    assert claim(engine, tmp_path, model="./none", device="cpu") == UNKNOWN


@pytest.mark.parametrize(
    ("keys", "size"),
    [
        ({}, 1000),
        ({"dtype": "float32"}, 2000),
        ({"quantization": "mlx-4bit"}, 500 * 9 // 16),
        ({"quantization": "mlx-8bit", "group_size": 32}, 500 * 9 // 8),
    ],
)
def test_mlx_counts_files_as_they_are_loaded(
    tmp_path: Path, keys: dict[str, object], size: int
) -> None:
    model(tmp_path / "m", dtype="float16")
    told = claim("mlx", tmp_path, model="m", **keys)
    assert (told.host_bytes, told.device_bytes, told.device) == (size, size, "auto")
    assert claim("mlx", tmp_path, model="m", device="cpu", **keys).device is None


def test_mlx_leaves_quantized_weights_as_they_are(tmp_path: Path) -> None:
    model(tmp_path / "m", quantization={"bits": 4, "group_size": 64})
    assert claim("mlx", tmp_path, model="m").host_bytes == 1000
    model(tmp_path / "other")
    assert claim("mlx", tmp_path, model="other").host_bytes == 1000
    assert claim("mlx", tmp_path, model="other", dtype="float32").host_bytes == 2000
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "adapters.safetensors").write_bytes(bytes(50))
    assert claim("mlx", tmp_path, model="m", adapter="a").host_bytes == 1050


LAYERS = {
    "block_count": 2,
    "embedding_length": 64,
    "attention.head_count": 4,
    "attention.head_count_kv": 2,
    "context_length": 10_000,
}
A_TOKEN = 2 * 2 * 16 * 2
"""Numbers that are cached for a token: layers, heads, their width, keys and values."""


@pytest.mark.parametrize(
    ("keys", "tokens", "width"),
    [
        ({}, 4096, 2),
        ({"context": 100}, 100, 2),
        ({"context": 0}, 10_000, 2),
        ({"context": 320, "kv_type_k": "f32", "kv_type_v": "f32"}, 320, 4),
        ({"context": 320, "kv_type_k": "q8_0", "kv_type_v": "q8_0"}, 320, 17 / 16),
    ],
)
def test_llama_cpp_counts_the_cache_of_the_whole_context(
    tmp_path: Path, keys: dict[str, object], tokens: int, width: float
) -> None:
    gguf(tmp_path / "m.gguf", **LAYERS)
    told = claim("llama-cpp", tmp_path, model="m.gguf", device="cpu", **keys)
    assert told == Claim(
        host_bytes=int(1000 + tokens * A_TOKEN * width), device_bytes=None, device=None
    )


@pytest.mark.parametrize(
    ("changed", "numbers"),
    [
        ({"attention.head_count_kv": [1, 2]}, (1 + 2) * (16 + 16)),
        ({"attention.key_length": 32, "attention.value_length": 8}, 2 * 2 * (32 + 8)),
    ],
)
def test_llama_cpp_counts_layers_that_differ(
    tmp_path: Path, changed: dict[str, object], numbers: int
) -> None:
    gguf(tmp_path / "m.gguf", **{**LAYERS, **changed})
    told = claim("llama-cpp", tmp_path, model="m.gguf", device="cpu", context=10)
    assert told.host_bytes == 1000 + 10 * numbers * 2


def test_llama_cpp_without_its_kv_heads_has_as_many_as_heads(tmp_path: Path) -> None:
    told = {key: value for key, value in LAYERS.items() if not key.endswith("kv")}
    gguf(tmp_path / "m.gguf", **told)
    found = claim("llama-cpp", tmp_path, model="m.gguf", device="cpu", context=10)
    assert found.host_bytes == 1000 + 10 * 2 * 64 * 2 * 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"GGUF" + struct.pack("<IQQ", 1, 0, 9),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 9, 2**62),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _text("x") + struct.pack("<IIQ", 9, 9, 2),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + _text("x") + struct.pack("<I", 99),
        bytes(50),
    ],
)
def test_a_gguf_file_that_tells_nothing_counts_twice(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content.ljust(1000, b"\0"))
    told = claim("llama-cpp", tmp_path, model="m.gguf", device="cpu")
    assert told.host_bytes == 2000


def test_the_context_that_is_assumed_is_the_engine_s() -> None:
    from pytest_llmbench.engines.llama_cpp import model, options

    assert options._LONGEST_CONTEXT == model.LONGEST_CONTEXT
    assert options._CACHE_BITS.keys() == model.KV_TYPES.keys()


def test_llama_cpp_counts_every_part_and_the_adapter(tmp_path: Path) -> None:
    first = gguf(tmp_path / "m-00001-of-00002.gguf", **LAYERS)
    gguf(tmp_path / "lora.gguf", size=300)
    asked = {"model": first.name, "device": "cpu", "context": 10}
    assert claim("llama-cpp", tmp_path, **asked).host_bytes is None
    gguf(tmp_path / "m-00002-of-00002.gguf", size=500)
    cache = 10 * A_TOKEN * 2
    assert claim("llama-cpp", tmp_path, **asked).host_bytes == 1500 + cache
    assert claim("llama-cpp", tmp_path, adapter="lora.gguf", **asked).host_bytes == 1800 + cache


def test_llama_cpp_counts_on_the_gpu_and_in_the_memory_it_is_read_through(tmp_path: Path) -> None:
    gguf(tmp_path / "m.gguf", **LAYERS)
    size = 1000 + 10 * A_TOKEN * 2
    asked = {"model": "m.gguf", "context": 10}
    both = Claim(host_bytes=size, device_bytes=size, device="auto")
    assert claim("llama-cpp", tmp_path, **asked) == both
    second = msgspec.structs.replace(both, device="cuda:1")
    assert claim("llama-cpp", tmp_path, device="cuda:1", **asked) == second
    assert claim("llama-cpp", tmp_path, device="cuda", **asked).device == "cuda:0"
    assert claim("llama-cpp", tmp_path, device="metal", **asked).device is None
    assert claim("llama-cpp", tmp_path, gpu_layers=0, **asked).device_bytes == 0


URL = "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("profile", "url", "alone"),
    [
        ("auto", URL, True),
        ("auto", "https://api.openai.com/v1", False),
        ("other", "http://gpu:1", True),
        ("vllm", URL, False),
        ("llama-server", URL, False),
        ("exo", URL, True),
        ("mlx-lm", "https://proxy/v1", True),
    ],
)
def test_a_server_that_runs_already_takes_nothing(profile: str, url: str, alone: bool) -> None:
    told = claim("openai", model="m", base_url=url, profile=profile)
    expected = Claim(host_bytes=0, device_bytes=None, device=None)
    if alone:
        expected = msgspec.structs.replace(expected, alone_on=url, shared_as="m")
    assert told == expected


def test_a_server_that_is_started_is_the_only_one_at_its_address(tmp_path: Path) -> None:
    fixed = claim("openai", tmp_path, model="m", base_url=URL, serve=["run", "--port", "8000"])
    free = claim("openai", tmp_path, model="m", serve=["run", "{port}"])
    assert (fixed.alone_on, fixed.shared_as) == (URL, None)
    assert (free.alone_on, free.shared_as) == (None, None)
    assert fixed.host_bytes is free.host_bytes is None


@pytest.mark.parametrize(
    ("serve", "size"),
    [
        (["llama-server", "-m", "m.gguf", "{port}"], 2000),
        (["llama-server", "--model=m.gguf", "{port}"], 2000),
        (["llama-server", "-m", "{model}", "{port}"], None),
        (["llama-server", "-hf", "a/b", "--lora", "m.gguf", "{port}"], None),
        (["llama-server", "--chat-template-file", "t.jinja", "{port}"], None),
        (["vllm", "serve", "m", "{port}"], None),
        (["{python}", "-m", "vllm.entrypoints", "m", "{port}"], None),
        (["mlx_lm.server", "--model", "m", "{port}"], 2000),
    ],
)
def test_a_server_that_is_started_takes_twice_its_files(
    tmp_path: Path, serve: list[str], size: int | None
) -> None:
    gguf(tmp_path / "m.gguf")
    (tmp_path / "t.jinja").write_text("template")
    model(tmp_path / "m")
    told = claim("openai", tmp_path, model="label", serve=serve)
    assert told.host_bytes == (None if size is None else PROCESS_BYTES + size)
    assert (told.device, told.device_bytes) == ("auto", None)


def test_a_server_that_is_started_with_a_model_of_the_hub(tmp_path: Path) -> None:
    asked = {"model": "a/b", "serve": ["transformers", "serve", "--port", "{port}"]}
    assert claim("openai", tmp_path, **asked).host_bytes is None
    cached(tmp_path / "hub", "a/b")
    assert claim("openai", tmp_path, **asked).host_bytes == PROCESS_BYTES + 2000


def manifest(tmp_path: Path, *parts: str, layers: object) -> None:
    path = tmp_path.joinpath("ollama", "manifests", *parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"layers": layers}))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("tiny", ("registry.ollama.ai", "library", "tiny", "latest")),
        ("tiny:1b", ("registry.ollama.ai", "library", "tiny", "1b")),
        ("me/tiny", ("registry.ollama.ai", "me", "tiny", "latest")),
        ("hf.co/Me/Tiny-GGUF:Q4_0", ("hf.co", "Me", "Tiny-GGUF", "Q4_0")),
    ],
)
def test_ollama_counts_the_model_by_its_manifest(
    tmp_path: Path, name: str, path: tuple[str, ...]
) -> None:
    assert claim("ollama", model=name).host_bytes is None
    manifest(tmp_path, *path, layers=[{"size": 400}, {"size": 100}, 7, {"size": None}])
    told = claim("ollama", model=name)
    assert told.host_bytes == PROCESS_BYTES + 1000
    assert (told.device, told.device_bytes) == ("auto", 1000)
    assert claim("ollama", model=name, gpu_layers=0).device is None


@pytest.mark.parametrize("layers", [None, 3, [], ["x"]])
def test_a_manifest_of_another_kind_tells_nothing(tmp_path: Path, layers: object) -> None:
    manifest(tmp_path, "registry.ollama.ai", "library", "tiny", "latest", layers=layers)
    assert claim("ollama", model="tiny").host_bytes is None


def test_an_ollama_elsewhere_takes_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    told = claim("ollama", model="tiny", base_url="gpu-box")
    assert (told.host_bytes, told.device) == (0, None)
    assert told.alone_on == "http://gpu-box:11434"
    monkeypatch.setenv("OLLAMA_HOST", "other-box:99")
    assert claim("ollama", model="tiny").alone_on == "http://other-box:99"
    monkeypatch.setenv("OLLAMA_HOST", "ftp://no")
    assert claim("ollama", model="tiny").alone_on == "OLLAMA_HOST"


def test_an_ollama_is_shared_for_one_model_in_one_setting() -> None:
    told = {
        name: claim("ollama", **keys).shared_as
        for name, keys in {
            "plain": {"model": "tiny"},
            "tagged": {"model": "Tiny:latest", "keep_alive": "5m"},
            "longer": {"model": "tiny", "context": 9000},
            "other": {"model": "tiny:1b"},
        }.items()
    }
    assert told["plain"] == told["tagged"]
    assert len(set(told.values())) == 3
