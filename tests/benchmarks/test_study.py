"""The study of drift damages what it says and nothing else, and counts what the gates say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import study
from study import MODEL, PROMPTS, Said, caught


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def tensors(folder: Path) -> dict:
    load_file = pytest.importorskip("safetensors.torch").load_file
    return {
        name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()
    }


def changed(folder: Path) -> dict:
    before, after = tensors(MODEL), tensors(folder)
    assert before.keys() == after.keys()
    return {name: after[name] for name in before if not before[name].equal(after[name])}


@pytest.mark.engine("transformers")
def test_one_layer_at_three_bits(folder: Path) -> None:
    study._three_bits(folder)
    found = changed(folder)
    assert len(found) == 7
    assert all(".layers.2." in name for name in found)
    assert max(len(row.unique()) for tensor in found.values() for row in tensor) <= 8


@pytest.mark.engine("transformers")
def test_one_head_of_one_layer(folder: Path) -> None:
    study._no_head(folder)
    (name,) = found = changed(folder)
    assert name == "model.layers.1.self_attn.o_proj.weight"
    assert not found[name][:, :64].any()
    assert found[name][:, 64:].equal(tensors(MODEL)[name][:, 64:])


def test_files(folder: Path) -> None:
    study._rope(folder)
    assert json.loads((folder / "config.json").read_text())["rope_parameters"]["rope_theta"] == 2e4
    template = (folder / "chat_template.jinja").read_text()
    study._special(folder)
    special = (folder / "chat_template.jinja").read_text()
    assert special != template
    assert "<|system|>" in special
    study._template(folder)
    assert "<|end|>" not in (folder / "chat_template.jinja").read_text()


def test_gates_are_counted_by_prompt() -> None:
    sound = Said(
        metrics=[{"kl_mean": 0.01, "score": 1.0, "tokens_match": 1.0, "departures": 0}] * 3,
        together={"length_change": 0.01},
    )
    bad = Said(
        metrics=[
            {"kl_mean": 0.0105, "score": 1.0, "tokens_match": 1.0},
            {"kl_mean": 0.5, "score": 0.0, "tokens_match": 1.0},
            {"score": 1.0, "tokens_match": 0.0, "departures": 2},
        ],
        together={"length_change": 0.3},
    )
    assert caught(sound, bad) == {
        "tokens_match": 1, "kl_mean": 1, "similarity": 0, "score": 1, "faults": 0,
        "departures": 1, "length_change": 1,
    }  # fmt: skip
    assert not any(caught(sound, sound).values())


def test_every_prompt_of_two_suites_is_asked() -> None:
    assert len(PROMPTS) == 58
