"""One session over the demo model in every form, under every engine: none skipped, all real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, demo_form

FORMS = ("f16.gguf", "q8_0.gguf", "q4_k_m.gguf", "q4_0.gguf", "mlx-f16", "mlx-4bit")
ENGINES = {"transformers", "llama-cpp", "mlx", "openai"}
PROMPTS = 5

pytestmark = [
    pytest.mark.engine(name)
    for name in ("transformers", "bitsandbytes", "peft", "llama-cpp", "mlx", "openai")
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    for name in FORMS:
        demo_form(name)
    report = tmp_path_factory.mktemp("every") / "report.json"
    flags = [
        "--llmbench",
        "--llmbench-strict",
        "--llmbench-suites=exo-five",
        "--llmbench-rounds=1",
        "--llmbench-set=suites.exo-five.max_new_tokens=24",
        f"--llmbench-baselines={report.with_name('baselines')}",
        f"--llmbench-json={report}",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *flags],
        cwd=ROOT / "examples" / "every_engine",
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert "skipped" not in done.stdout.splitlines()[-1]
    return json.loads(Path(report).read_text("utf-8"))


def test_every_variant_ran_every_prompt(session) -> None:
    variants = session["variants"]
    assert {variant["config"]["engine"] for variant in variants.values()} == ENGINES
    for name, variant in variants.items():
        assert variant["error"] is None, name
        cases = [case for case in session["cases"] if case["variant"] == name]
        assert len(cases) == PROMPTS
        for case in cases:
            metrics = case["metrics"]
            assert case["error"] is None
            assert case["text"]
            assert metrics["output_tokens"]["value"] > 1
            assert {"ttft_s", "latency_s", "decode_tps", "rss_peak_bytes"} <= metrics.keys()


def test_the_same_prompt_is_as_long_under_every_engine(session) -> None:
    lengths: dict[str, set[float]] = {}
    for case in session["cases"]:
        count = case["metrics"]["prompt_tokens"]["value"]
        lengths.setdefault(case["prompt_id"], set()).add(count)
    assert all(len(counts) == 1 for counts in lengths.values()), lengths


def test_forms_of_full_precision_say_the_same(session) -> None:
    texts = {(case["variant"], case["prompt_id"]): case["text"] for case in session["cases"]}
    prompts = {prompt for _, prompt in texts}
    full = ("gguf-f16", "mlx-f16", "served-llama-cpp", "served-mlx", "served-transformers")
    for name in full:
        same = [texts[name, prompt] == texts["hf-float32", prompt] for prompt in prompts]
        assert sum(same) >= PROMPTS - 1, name


def test_no_server_is_left(session) -> None:
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    ours = [line for line in left.stdout.splitlines() if str(ROOT / "examples") in line]
    assert not [line for line in ours if "serve" in line]
