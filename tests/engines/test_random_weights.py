"""Random weights: a model's shape without its files, the same ones every time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines import Stamps, create_engine
from pytest_llmbench.engines.transformers import TransformersEngine, TransformersOptions
from pytest_llmbench.errors import CaseError, LoadError
from tests.engines.workers import GREEDY, answers, config_folder, copied
from tests.support import DEMO_MODEL, ROOT

pytestmark = pytest.mark.engine("transformers")

FIXED = msgspec.structs.replace(GREEDY, length="fixed", max_new_tokens=8)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of torch in this process would spin beside the workers of other tests."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder that holds the demo model's config and nothing else."""
    return config_folder(tmp_path / "shape")


def loaded(model: str, **options: object) -> tuple[TransformersEngine, ModelFacts]:
    engine = create_engine("transformers")
    assert isinstance(engine, TransformersEngine)
    engine.start()
    asked = {"model": model, "weights": "random", "device": "cpu", "threads": 1, **options}
    options_type = msgspec.convert(asked, TransformersOptions)
    return engine, engine.load(msgspec.to_builtins(options_type), ROOT)


def generated(engine: TransformersEngine, question: str) -> tuple[str, list[int]]:
    ticks = itertools.count(0, 1_000)
    stamps = Stamps(lambda: next(ticks))
    encoded = engine.encode((Message(role="user", content=question),), FIXED)
    return engine.generate(encoded, FIXED, stamps).text, stamps.ids


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2), ("float16", 2)])
def test_a_config_is_all_that_it_takes(folder: str, dtype: str, size: int) -> None:
    engine, facts = loaded(folder, dtype=dtype)
    assert facts.random_weights
    assert facts.identity["weights"] == "random"
    assert facts.identity["tokenizer"] == "bytes"
    assert facts.identity["dtype"] == dtype
    assert facts.context_tokens == 1024
    assert facts.model_bytes == 3_607_296 * size + 256
    text, ids = generated(engine, "Hello")
    assert len(ids) == 8
    assert text == " ".join(str(one) for one in ids if one != 0)


def test_they_are_the_same_every_time_and_follow_the_config(folder: str, tmp_path: Path) -> None:
    one, facts = loaded(folder, dtype="float32")
    import torch

    torch.rand(7)
    other, again = loaded(folder, dtype="float32")
    assert generated(one, "Hello") == generated(other, "Hello")
    assert facts.identity == again.identity
    wider = config_folder(tmp_path / "wider", intermediate_size=1024)
    assert loaded(wider)[1].identity["config"] != facts.identity["config"]


def test_a_prompt_is_its_bytes(folder: str, tmp_path: Path) -> None:
    engine = loaded(folder)[0]
    encoded = engine.encode((Message(role="user", content="Aé"),), FIXED)
    assert encoded.payload.tolist() == [[65, 0xC3, 0xA9]]
    assert encoded.tokens == 3
    assert engine.encode((Message(role="user", content=""),), FIXED).tokens == 1
    small = loaded(config_folder(tmp_path / "small", vocab_size=100))[0]
    assert small.encode((Message(role="user", content="Aé"),), FIXED).payload.max() < 100
    with pytest.raises(CaseError, match="no chat template"):
        engine.encode((), msgspec.structs.replace(FIXED, chat=True))


def test_end_tokens_are_not_shown() -> None:
    from pytest_llmbench.engines.transformers.tokens import ByteTokenizer

    tokenizer = ByteTokenizer(None, 256, ends=(0, 9))
    assert tokenizer.decode([5, 0, 7, 9], skip_special_tokens=True) == "5 7"
    assert tokenizer.decode([5, 0, 7, 9], skip_special_tokens=False) == "5 0 7 9"


@pytest.mark.parametrize("own", [True, False])
def test_a_tokenizer_that_is_there_is_used(folder: str, own: bool, tmp_path: Path) -> None:
    """A key names it, or it lies beside the config; the weights beside it are not read."""
    whole = copied(DEMO_MODEL, tmp_path / "whole")
    (whole / "model.safetensors").write_bytes(b"not weights")
    engine, facts = loaded(folder, tokenizer=DEMO_MODEL) if own else loaded(str(whole))
    assert engine.encode((Message(role="user", content="Hello"),), FIXED).tokens < 8
    assert facts.identity["tokenizer"] not in ("bytes", DEMO_MODEL)
    assert facts.random_weights


def test_a_tokenizer_that_is_too_large_is_refused(tmp_path: Path) -> None:
    small = config_folder(tmp_path / "small", vocab_size=100)
    with pytest.raises(LoadError, match="has 2560 tokens, but the model's vocabulary holds 100"):
        loaded(small, tokenizer=DEMO_MODEL)


def test_a_hundred_million_parameters(tmp_path: Path) -> None:
    large = config_folder(
        tmp_path / "large", vocab_size=32_000, hidden_size=768, intermediate_size=2048,
        num_hidden_layers=14, num_attention_heads=12, head_dim=64,
    )  # fmt: skip
    engine, facts = loaded(large, dtype="bfloat16")
    assert facts.model_bytes is not None
    assert facts.model_bytes / 2 > 100e6
    assert len(generated(engine, "Hello")[1]) == 8


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no config.json, which random weights are made from"),
        ({"config.json": "{"}, None),
    ],
)
def test_a_folder_without_config(
    tmp_path: Path, files: dict[str, str], message: str | None
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    problem = TransformersOptions(model=str(tmp_path), weights="random").problem(ROOT)
    if message is None:
        assert problem is None
        with pytest.raises(LoadError, match="could not be loaded"):
            loaded(str(tmp_path))
    else:
        assert problem is not None
        assert problem[0] == "model"
        assert message in problem[1]


def test_a_config_without_the_class_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(LoadError, match="could not be loaded"):
        loaded(str(tmp_path))


@pytest.mark.engine("bitsandbytes")
@pytest.mark.parametrize("quantization", ["bnb-int8", "bnb-nf4"])
def test_they_can_be_quantized(folder: str, quantization: str) -> None:
    from tests.engines.test_bitsandbytes import four_bit_bytes, int8_bytes

    keys = {"model": folder, "weights": "random", "dtype": "bfloat16"}
    facts, said = answers(["Hello"], quantization=quantization, **keys)
    assert said[0]
    assert facts.random_weights
    assert facts.identity["quantization"] == quantization
    expected = int8_bytes(2) if quantization == "bnb-int8" else four_bit_bytes(2, double=False)
    assert facts.model_bytes == expected
