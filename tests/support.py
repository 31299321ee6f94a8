"""What several tests build: variants, and where the demo model is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.domain.variant import Variant

ROOT: Final = Path(__file__).parent.parent
DEMO_MODEL: Final = str(ROOT / "examples" / "demo_model" / "model")


def variant(name: str, engine: str, **options: object) -> Variant:
    """A variant with short time-outs and no gates."""
    return Variant(
        id=name,
        engine=engine,
        options=options,
        base_dir=ROOT,
        python=None,
        host=None,
        load_timeout_s=120.0,
        round_timeout_s=60.0,
        gates=Gates(),
    )


def token_trace(**changed: Any) -> Trace:
    """A trace of three tokens, as an engine in the worker's process gives it."""
    told: dict[str, Any] = {
        "arrivals": "tokens",
        "stamps_ns": (10_000_000, 12_000_000, 15_000_000),
        "first_response_ns": None,
        "prompt_tokens": 20,
        "cached_prompt_tokens": 0,
        "tokenize_ns": 500_000,
        "text": "hello",
        "finish_reason": "stop",
        "timings": None,
        **changed,
    }
    count = len(told["stamps_ns"])
    return Trace(**{"token_ids": tuple(range(count)), "output_tokens": count, **told})


def demo_form(name: str) -> str:
    """The path of a form of the demo model (``f16.gguf``), made when it is first needed."""
    folder = ROOT / "examples" / "demo_model" / "forms"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / f".{name}.lock"):
        if not (folder / name).exists():
            script = ROOT / "examples" / "demo_model" / "forms.py"
            done = subprocess.run(
                [sys.executable, script, name], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
    return str(folder / name)
