"""The five studies: configurations load, and a stand-in's report has all that was promised."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from pytest_llmbench.config import Config, load_config
from pytest_llmbench.engines import engine_options
from pytest_llmbench.metrics.score import score
from pytest_llmbench.runner.plan import suite_cases
from tests.docs.pages import section
from tests.examples.checklist import Report, checklist, lacking
from tests.report.documents import Page
from tests.support import ROOT, demo_form

EXAMPLES: Final = ROOT / "examples"
SOME_TASKS: Final = (
    *("document", "life", "capital-france", "wet-ground", "odd-one-out", "add-two"),
    "library-opens",
)
"""Of each kind one, and one that the demo model gets wrong: a report has a bad answer, too."""

SHORT: Final = {
    "ollama_tasks": ("-k", " or ".join(SOME_TASKS)),
    "exo_method": ("--llmbench-set", "suites.exo-five.max_new_tokens=16"),
    "tinyllama_forms": ("--llmbench-set", "suites.bootcamp-three.max_new_tokens=16"),
    "phi3_quantization": (),
    "llama32_mlx": ("--llmbench-set", "suites.grid.max_new_tokens=[8, 16, 32]"),
}
"""The studies, and what makes their stand-ins short enough for a test."""

FLAGS: Final = ("-q", "-p", "no:cacheprovider", "--llmbench-rounds=1", "--llmbench-max-time=0.1")
ENGINES: Final = {
    "ollama_tasks": ("openai", "llama-cpp"),
    "exo_method": ("openai", "mlx"),
    "tinyllama_forms": (
        *("transformers", "bitsandbytes", "peft", "llama-cpp", "mlx", "similarity"),
    ),
    "phi3_quantization": ("transformers", "bitsandbytes", "mlx"),
    "llama32_mlx": ("mlx",),
}
REAL: Final = {
    "ollama_tasks": {"llama3:8b": "ollama", "mistral": "ollama", "phi": "ollama"},
    "exo_method": {
        "mlx-community/Llama-3.2-1B-Instruct-4bit": "openai",
        "mlx-community/Llama-3.2-3B-Instruct-4bit": "openai",
    },
    "tinyllama_forms": {
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0": "transformers",
        "models/tinyllama.Q4_0.gguf": "llama-cpp",
    },
    "phi3_quantization": {"microsoft/Phi-3-mini-128k-instruct": "transformers"},
    "llama32_mlx": {"mlx-community/Llama-3.2-1B-Instruct-4bit": "mlx"},
}
"""The models of each document, and what runs them."""

every_study = pytest.mark.parametrize("name", SHORT)


def loaded(name: str, file: str) -> Config:
    return load_config(EXAMPLES / name / file, engine_options())


def script() -> ModuleType:
    """examples/studies.py, as a module."""
    spec = importlib.util.spec_from_file_location("studies", EXAMPLES / "studies.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_study_is_run_and_listed() -> None:
    folders = {path.parent.name for path in EXAMPLES.glob("*/stand-in.toml")}
    assert folders == set(SHORT) == set(script().FORMS)
    index = (EXAMPLES / "README.md").read_text("utf-8")
    assert all(f"({name}/README.md)" in index for name in folders)


@every_study
def test_the_real_study_is_of_the_models_of_its_document(name: str) -> None:
    variants = loaded(name, "llmbench.toml").variants.values()
    assert {variant.options["model"]: variant.engine for variant in variants} == REAL[name]


@every_study
def test_a_stand_in_asks_what_the_study_asks(name: str) -> None:
    real, stand_in = loaded(name, "llmbench.toml"), loaded(name, "stand-in.toml")
    assert len(stand_in.variants) >= len(real.variants)
    assert (stand_in.reference is None) == (real.reference is None)
    assert (stand_in.similarity is None) == (real.similarity is None)
    assert stand_in.suites.keys() == real.suites.keys()
    for suite, its in real.suites.items():
        twin = stand_in.suites[suite]
        assert twin.prompts == its.prompts
        assert twin.temperature == its.temperature
        assert len(twin.max_new_tokens) == len(its.max_new_tokens)
        assert twin.length == its.length


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("A well-known fallacy!\n\nSo the answer is:\n\nNo, it need not have rained.", 1.0),
        ("Not necessarily: somebody may have watered the lawn.", 1.0),
        ("Yes. There is no other reason for a wet ground.", 0.0),
    ],
)
def test_a_right_answer_is_right_whatever_stands_around_it(answer: str, right: float) -> None:
    suite = loaded("ollama_tasks", "llmbench.toml").suites["document"]
    prompt = next(prompt for prompt in suite.prompts if prompt.id == "did-it-rain")
    assert score(prompt, answer) == right


@pytest.mark.parametrize("file", ["llmbench.toml", "stand-in.toml"])
def test_the_grid_is_of_54_runs(file: str) -> None:
    config = loaded("llama32_mlx", file)
    cases = suite_cases(config.suites["grid"], list(config.variants))
    assert {case.sampling.rounds for case in cases} == {3}
    assert len(cases) * 3 == 54


@every_study
def test_the_script_makes_the_forms_that_the_stand_in_needs(name: str) -> None:
    text = (EXAMPLES / name / "stand-in.toml").read_text("utf-8")
    assert set(re.findall(r"/forms/([\w.-]+)", text)) == set(script().FORMS[name])


@every_study
def test_a_page_says_what_was_done_what_to_type_and_what_is_otherwise(name: str) -> None:
    page = EXAMPLES / name / "README.md"
    words = page.read_text("utf-8")
    assert f"$ python examples/studies.py {name} " in words
    assert "$ pytest --llmbench " in words
    assert len(checklist(page)) >= 9
    assert section(page, "What we measure otherwise").count("\n- **") >= 4


def test_a_study_that_there_is_not_is_said() -> None:
    words = [sys.executable, str(EXAMPLES / "studies.py"), "nonsense"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "there is no study 'nonsense'; choose of: ollama_tasks, exo_method" in done.stderr


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.engine(each) for each in (*ENGINES[name], "report")])
        for name in SHORT
    ],
)
def test_the_report_of_a_stand_in_has_all_that_the_document_has(name: str, tmp_path: Path) -> None:
    for form in script().FORMS[name]:
        demo_form(form)
    words = [str(EXAMPLES / "studies.py"), name, f"--out={tmp_path}", "--", *FLAGS, *SHORT[name]]
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    made = tmp_path / name
    report = Report(
        page=Page((made / "report.html").read_text("utf-8")),
        markdown=(made / "report.md").read_text("utf-8"),
        figures=made / "figures",
    )
    found = [
        each for line in checklist(EXAMPLES / name / "README.md") for each in lacking(line, report)
    ]
    assert not found, "\n".join(found)
    assert (made / "cases.csv").read_text("utf-8").count("\n") > 50
