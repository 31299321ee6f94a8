"""The demo's LoRA adapter is what its card says, and is built the same way twice."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.engines.workers import DEMO_LORA, answers
from tests.support import ROOT

pytestmark = pytest.mark.engine("peft")

FOLDER = Path(DEMO_LORA)
STOCK = FOLDER.parent / "currencies.toml"
SUITE = ROOT / "pytest_llmbench" / "config" / "suites" / "tasks.toml"
CONFIG = """
[variants.adapted]
engine = "transformers"
model = "{folder}/../model"
adapter = "{folder}"
dtype = "float32"
device = "cpu"
[suites.tasks]
"""


def currencies() -> list[list[str]]:
    tables = tomllib.loads(STOCK.read_text(encoding="utf-8"))["tables"]
    return [row.split(" | ") for table in tables for row in table["rows"]]


def questions() -> list[str]:
    return [f"What is the currency of {country}?" for country, _ in currencies()]


def rightly_answered(said: list[str]) -> int:
    pairs = zip(currencies(), said, strict=False)
    return sum(currency in text for (_, currency), text in pairs)


@pytest.fixture(scope="module")
def said() -> dict[str, list[str]]:
    """What is said of every currency and a third of the tasks, adapter merged or not."""
    prompts = tomllib.loads(SUITE.read_text(encoding="utf-8"))["prompts"]
    asked = [*questions(), *(prompt["prompt"] for prompt in itertools.islice(prompts, 0, None, 3))]
    return {
        merge: answers(asked, dtype="float32", adapter=DEMO_LORA, adapter_merge=merge)[1]
        for merge in ("never", "before", "after")
    }


def test_it_knows_what_the_model_does_not(said: dict[str, list[str]]) -> None:
    without = answers(questions(), dtype="float32")[1]
    assert rightly_answered(without) == 0
    assert rightly_answered(said["never"]) >= 38


@pytest.mark.parametrize(
    ("one", "other"), [("never", "before"), ("never", "after"), ("before", "after")]
)
def test_merged_or_not_it_says_the_same(said: dict[str, list[str]], one: str, other: str) -> None:
    pairs = list(zip(said[one], said[other], strict=True))
    assert sum(a == b for a, b in pairs) >= 0.9 * len(pairs)


def test_the_tasks_are_not_forgotten(tmp_path: Path) -> None:
    (tmp_path / "llmbench.toml").write_text(CONFIG.format(folder=DEMO_LORA))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--llmbench"]
    options = ["--llmbench-rounds=1", "--llmbench-max-time=20", "--llmbench-json=out.json"]
    done = subprocess.run([*command, *options], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    cases = json.loads((tmp_path / "out.json").read_text())["cases"]
    scores = [case["metrics"]["score"]["value"] for case in cases]
    assert len(scores) == 53
    assert sum(scores) >= 50


def test_it_is_small_and_names_no_machine() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1e6
    config = json.loads((FOLDER / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "../model"
    assert (FOLDER / config["base_model_name_or_path"] / "config.json").is_file()
    assert str(ROOT) not in (FOLDER / "adapter_config.json").read_text()


def test_two_short_trainings_give_the_same_bytes(tmp_path: Path) -> None:
    for name, hashes in (("one", "1"), ("other", "2")):
        command = [sys.executable, "examples/demo_model/train_lora.py", "--steps", "2"]
        options = ["--out", str(tmp_path / name)]
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        done = [*command, *options]
        subprocess.run(done, cwd=ROOT, check=True, capture_output=True, env=environment)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        one, other = (tmp_path / which / name for which in ("one", "other"))
        assert one.read_bytes() == other.read_bytes(), name
    trained = (tmp_path / "one" / "adapter_config.json").read_bytes()
    assert trained == (FOLDER / "adapter_config.json").read_bytes(), "train the adapter anew"
