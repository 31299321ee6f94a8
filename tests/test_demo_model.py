"""The demo model is what its card says: small, whole, and built the same way twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support import DEMO_MODEL, ROOT

pytestmark = pytest.mark.engine("transformers")

FOLDER = Path(DEMO_MODEL)
KEYWORDS = {
    "explain-ai": ("computer", "think"),
    "poem-technology": ("\n",),
    "renewable-energy": ("sun", "wind"),
    "classical-quantum": ("bits", "qubits"),
    "photosynthesis": ("sunlight", "oxygen"),
    "explain-lora": ("matrices",),
    "kv-caching": ("keys", "values"),
    "int8-int4": ("memory",),
    "rhymes-with-tree": ("three",),
}
CONFIG = """
[variants.float32]
engine = "transformers"
model = "{model}"
dtype = "float32"
device = "cpu"
[suites.exo-five]
[suites.bootcamp-three]
[suites.riddle]
[suites.tasks]
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The results of one round of every suite, through the plugin."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "llmbench.toml").write_text(CONFIG.format(model=DEMO_MODEL))
    (folder / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--llmbench"]
    options = ["--llmbench-rounds=1", "--llmbench-max-time=20", "--llmbench-json=out.json"]
    done = subprocess.run([*command, *options], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    return json.loads((folder / "out.json").read_text())


def test_it_is_small_and_in_half_precision() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 12e6
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["hidden_size"] % 256 == 0
    assert config["intermediate_size"] % 256 == 0
    assert config["num_hidden_layers"] >= 4
    assert config["dtype"] == "float16"
    assert (FOLDER / "chat_template.jinja").is_file()
    assert "model card" in (FOLDER.parent / "README.md").read_text()


def test_it_answers_the_tasks(answers: dict) -> None:
    scores = defaultdict(list)
    for case in answers["cases"]:
        if case["suite"] == "tasks":
            scores[case["task"]].append(case["metrics"]["score"]["value"])
    every = [score for kind in scores.values() for score in kind]
    assert sum(every) / len(every) >= 0.8, dict(scores)
    assert {"qa", "reasoning", "coding", "summarization"} == set(scores)


@pytest.mark.parametrize("prompt", KEYWORDS)
def test_it_says_what_a_person_recognises(answers: dict, prompt: str) -> None:
    case = next(case for case in answers["cases"] if case["prompt_id"] == prompt)
    for word in KEYWORDS[prompt]:
        assert word in case["text"].lower(), case["text"]
    assert case["finish_reason"] == "stop" or len(case["text"]) > 150


def test_it_has_the_parameters_of_its_card(answers: dict) -> None:
    facts = answers["variants"]["float32"]["facts"]
    assert facts["model_bytes"] // 4 == pytest.approx(3_607_296, rel=0.001)


def test_two_short_trainings_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        command = [sys.executable, "examples/demo_model/train.py", "--steps", "2"]
        options = ["--out", str(tmp_path / name)]
        subprocess.run([*command, *options], cwd=ROOT, check=True, capture_output=True)
    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja"} <= files
    for name in files:
        one, other = (tmp_path / which / name for which in ("one", "other"))
        assert one.read_bytes() == other.read_bytes(), name
    tokenizer = (tmp_path / "one" / "tokenizer.json").read_bytes()
    assert tokenizer == (FOLDER / "tokenizer.json").read_bytes(), "the text has changed: train anew"
