"""How large a model is by its files and its ``config.json``: never less than it has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_llmbench.engines.model_size import (
    embedding_weights,
    file_bytes,
    random_weights,
    stored_width,
    weight_bytes,
)
from tests.support import DEMO_MODEL

SHAPE = {
    "vocab_size": 100,
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def weights(folder: Path, name: str = "model.safetensors", *, size: int = 1000) -> Path:
    """A folder with a file of so many bytes in it."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(bytes(size))
    return folder


def test_the_demo_model_has_no_more_weights_than_counted() -> None:
    config = json.loads(Path(DEMO_MODEL, "config.json").read_text())
    stored = Path(DEMO_MODEL, "model.safetensors").stat().st_size // 2
    counted = random_weights(config)
    assert counted is not None
    assert stored < counted < 1.5 * stored


@pytest.mark.parametrize(
    "config", [{}, {"vocab_size": "many", "hidden_size": 8}, {"text_config": 3}]
)
def test_a_config_without_the_numbers_is_not_known(config: dict[str, object]) -> None:
    assert embedding_weights(config) is None
    assert random_weights(config) is None
    assert random_weights({**SHAPE, "num_attention_heads": 0}) is None


@pytest.mark.parametrize("more", [{"num_experts": 4}, {"text_config": {}}])
def test_what_is_no_plain_decoder_is_not_known(more: dict[str, object]) -> None:
    assert embedding_weights(SHAPE) == 2 * 100 * 8
    assert embedding_weights({**SHAPE, **more}) is None
    assert random_weights({**SHAPE, **more}) is None


@pytest.mark.parametrize(
    ("config", "width"),
    [
        ({"dtype": "float32"}, 4),
        ({"torch_dtype": "bfloat16"}, 2),
        ({"text_config": {"dtype": "float16"}}, 2),
        ({"dtype": None, "torch_dtype": "float64"}, 8),
        ({"dtype": "int3"}, None),
        ({"text_config": 3}, None),
        ({}, None),
    ],
)
def test_the_width_of_a_stored_weight(config: dict[str, object], width: int | None) -> None:
    assert stored_width(config) == width


def test_parts_that_are_not_fetched_yet_count(tmp_path: Path) -> None:
    folder = weights(tmp_path / "m", "model-00001-of-00002.safetensors")
    assert weight_bytes(folder) == 1000
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 5000}}))
    assert weight_bytes(folder) == 5000
    index.write_text("[1, 2]")
    assert weight_bytes(folder) == 1000


def test_other_weights_count_where_there_are_no_safetensors(tmp_path: Path) -> None:
    folder = weights(tmp_path / "m")
    weights(folder, "pytorch_model.bin", size=70)
    assert weight_bytes(folder) == 1000
    (folder / "model.safetensors").unlink()
    assert weight_bytes(folder) == 70
    (folder / "pytorch_model.bin").unlink()
    assert weight_bytes(folder) is None


def test_every_part_of_a_gguf_model_counts(tmp_path: Path) -> None:
    first = weights(tmp_path, "m-00001-of-00002.gguf") / "m-00001-of-00002.gguf"
    assert file_bytes(first) is None
    weights(tmp_path, "m-00002-of-00002.gguf", size=500)
    assert file_bytes(first) == 1500
    assert file_bytes(tmp_path / "none.gguf") is None
