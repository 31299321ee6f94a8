"""peft adapters: as layers, merged before quantization, merged after; and those that do not fit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_llmbench.config import load_config
from pytest_llmbench.engines import create_engine, engine_options
from pytest_llmbench.engines.transformers import TransformersOptions
from pytest_llmbench.errors import ConfigError, EngineNotInstalledError, LoadError
from tests.engines.workers import DEMO_LORA, answers, copied, started
from tests.support import DEMO_MODEL, ROOT

pytestmark = pytest.mark.engine("peft")

QUESTIONS = (
    "What is the currency of Japan?",
    "What is the currency of Poland?",
    "What is the capital of France?",
    "What is 17 + 25?",
)
ADAPTED = 163_840
"""Numbers in the demo's adapter: rank 8 times rows plus columns of its 35 layers."""


@pytest.fixture(scope="module")
def alone() -> tuple[Any, list[str]]:
    return answers(QUESTIONS, dtype="float32")


@pytest.mark.parametrize("merge", ["never", "before", "after"])
def test_an_adapter_changes_what_is_said_and_what_it_is(
    alone: tuple[Any, list[str]], merge: str
) -> None:
    without, said_without = alone
    facts, said = answers(QUESTIONS, dtype="float32", adapter=DEMO_LORA, adapter_merge=merge)
    assert "yen" in said[0]
    assert "zloty" in said[1]
    assert "yen" not in said_without[0]
    assert facts.identity["adapter_merge"] == merge
    assert facts.identity["adapter"] != facts.identity["weights"] == without.identity["weights"]
    more = 4 * ADAPTED if merge == "never" else 0
    assert facts.model_bytes == without.model_bytes + more
    assert facts.settings.get("adapter_dtype") == ("float32" if merge == "never" else None)


def test_the_adapter_s_numbers_make_its_identity(tmp_path: Path) -> None:
    same = copied(DEMO_LORA, tmp_path / "renamed")
    other = copied(DEMO_LORA, tmp_path / "other")
    with (other / "adapter_model.safetensors").open("r+b") as file:
        file.seek(-10, 2)
        file.write(b"\x01")
    seen = []
    for folder in (DEMO_LORA, same, other):
        with started(adapter=str(folder)) as worker:
            seen.append(worker.load().facts.identity["adapter"])
    assert seen[0] == seen[1] != seen[2]


MERGE = """
import sys, peft, torch, transformers as t
model = t.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float16)
model = peft.PeftModel.from_pretrained(model, sys.argv[2]).merge_and_unload()
model.save_pretrained(sys.argv[3])
t.AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[3])
"""


@pytest.mark.engine("bitsandbytes")
@pytest.mark.parametrize("quantization", ["bnb-int8", "bnb-nf4"])
def test_merging_before_gives_what_the_saved_merged_model_gives(
    tmp_path: Path, quantization: str
) -> None:
    merged = str(tmp_path / "merged")
    subprocess.run([sys.executable, "-c", MERGE, DEMO_MODEL, DEMO_LORA, merged], check=True)
    saved, said_saved = answers(QUESTIONS, model=merged, quantization=quantization)
    keys = {"adapter": DEMO_LORA, "adapter_merge": "before", "quantization": quantization}
    facts, said = answers(QUESTIONS, dtype="float16", **keys)
    assert said == said_saved
    assert "yen" in said[0]
    assert facts.model_bytes == saved.model_bytes
    assert facts.identity["quantization"] == quantization


@pytest.mark.engine("bitsandbytes")
@pytest.mark.parametrize("quantization", ["bnb-int8", "bnb-nf4"])
def test_merging_after_quantizes_again(quantization: str) -> None:
    keys = {"dtype": "bfloat16", "quantization": quantization}
    plain = answers([], **keys)[0]
    with started(adapter=DEMO_LORA, adapter_merge="after", **keys) as worker:
        loaded = worker.load()
    assert any("may get different generations" in warning for warning in loaded.warnings)
    assert loaded.facts.model_bytes == plain.model_bytes
    assert loaded.facts.identity["adapter_merge"] == "after"
    facts, said = answers(QUESTIONS, adapter=DEMO_LORA, adapter_merge="after", **keys)
    assert "yen" in said[0]
    beside, said_beside = answers(QUESTIONS, adapter=DEMO_LORA, **keys)
    assert "yen" in said_beside[0]
    assert beside.model_bytes == facts.model_bytes + 4 * ADAPTED


def changed(folder: Path, **config: object) -> str:
    """A copy of the demo's adapter with another configuration."""
    copied(DEMO_LORA, folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return str(folder)


def with_names(folder: Path, old: str, new: str) -> str:
    """A copy of the demo's adapter whose tensors are called otherwise."""
    from safetensors.torch import load_file, save_file

    path = copied(DEMO_LORA, folder) / "adapter_model.safetensors"
    renamed = {name.replace(old, new): tensor for name, tensor in load_file(path).items()}
    save_file(renamed, path, metadata={"format": "pt"})
    return str(folder)


def made_for_others(tmp_path: Path) -> dict[str, tuple[str, str]]:
    return {
        "layers": (changed(tmp_path / "layers", target_modules=["c_attn"]), "c_attn.* not found"),
        "shape": (changed(tmp_path / "shape", r=4), "size mismatch"),
        "depth": (with_names(tmp_path / "depth", "layers.4", "layers.9"), "14 of its tensors have"),
        "missing": (
            changed(tmp_path / "missing", target_modules=["q_proj", "lm_head"]),
            "of its tensors have no place",
        ),
        "kind": (
            changed(tmp_path / "kind", peft_type="PROMPT_TUNING", num_virtual_tokens=4),
            "is of the kind PROMPT_TUNING.* can't be measured",
        ),
        "config": (changed(tmp_path / "config", peft_type="NONSENSE"), "NONSENSE"),
    }


@pytest.mark.parametrize("what", ["layers", "shape", "depth", "missing", "kind", "config"])
def test_an_adapter_for_another_model_is_refused(tmp_path: Path, what: str) -> None:
    adapter, message = made_for_others(tmp_path)[what]
    with started(adapter=adapter) as worker, pytest.raises(LoadError, match=message) as raised:
        worker.load()
    assert adapter in str(raised.value)
    if what in ("layers", "shape", "depth", "missing"):
        assert f"does not fit model = {DEMO_MODEL!r}" in str(raised.value)
        assert "It was trained on '../model'" in str(raised.value)


@pytest.mark.parametrize(
    "file", ["adapter_model.safetensors", "adapter_config.json"], ids=["tensors", "config"]
)
def test_a_damaged_adapter_is_blamed_and_not_the_model(tmp_path: Path, file: str) -> None:
    path = copied(DEMO_LORA, tmp_path / "lora") / file
    path.write_bytes(path.read_bytes()[:200])
    message = f"^adapter = .*lora' could not be loaded: .*{file} is damaged; copy or download it"
    with started(adapter=str(path.parent)) as worker, pytest.raises(LoadError, match=message):
        worker.load()


def test_an_adapter_as_the_model_is_told(tmp_path: Path) -> None:
    found = TransformersOptions(model=DEMO_LORA).problem(ROOT)
    assert found is not None
    assert found[0] == "model"
    assert f"is an adapter, not a model; write it as adapter = {DEMO_LORA!r} beside" in found[1]
    (tmp_path / "a.gguf").write_bytes(b"GGUF")
    found = TransformersOptions(model=DEMO_MODEL, adapter="./a.gguf").problem(tmp_path)
    assert found is not None
    assert "is a GGUF file, which peft can't read" in found[1]


def test_what_the_hub_does_not_give_is_told() -> None:
    message = "'nobody/lora' is neither a folder .* hub gave"
    with started(adapter="nobody/lora") as worker, pytest.raises(LoadError, match=message):
        worker.load()


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ("./none", "the adapter folder .*none does not exist; correct the path"),
        ("tests", "has no adapter_config.json; name the folder that peft saved it to"),
        ("README.md", "is a file, not a folder"),
        ("owner/name", None),
        (DEMO_LORA, None),
    ],
)
def test_a_folder_is_checked_without_peft(adapter: str, message: str | None) -> None:
    found = TransformersOptions(model=DEMO_MODEL, adapter=adapter).problem(ROOT)
    if message is None:
        assert found is None
    else:
        assert found is not None
        assert found[0] == "adapter"
        assert re.search(message, found[1])


@pytest.mark.parametrize("key", ["adapter_merge = 'before'", "adapter_revision = 'main'"])
def test_keys_of_an_adapter_need_one(tmp_path: Path, key: str) -> None:
    path = tmp_path / "llmbench.toml"
    path.write_text(f'[variants.a]\nengine = "transformers"\nmodel = "gpt2"\n{key}\n')
    name = key.partition(" ")[0]
    with pytest.raises(ConfigError, match=f"variants.a: {name} says nothing without adapter"):
        load_config(path, engine_options())


def test_peft_is_needed_for_an_adapter_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "pip install 'pytest-llmbench[peft]'"
    assert TransformersOptions(model="gpt2", adapter="a/b").needs() == {"peft": line}
    both = TransformersOptions(model="gpt2", adapter="a/b", quantization="bnb-int8").needs()
    assert list(both) == ["bitsandbytes", "peft"]
    for name in ("peft", "bitsandbytes"):
        monkeypatch.setitem(sys.modules, name, None)
    engine = create_engine("transformers")
    engine.start()
    with pytest.raises(EngineNotInstalledError) as raised:
        engine.load({"model": DEMO_MODEL, "device": "cpu", "adapter": DEMO_LORA}, ROOT)
    assert line in str(raised.value)
