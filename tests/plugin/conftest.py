"""A project as a user has it: files in a folder, and pytest run in it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

# pytester forgets what an inner run imports; numpy can't be imported twice in one process.
import scipy.special  # noqa: F401

import pytest_llmbench.plugin.hooks
import pytest_llmbench.report.table  # noqa: F401
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.confirm import Confirming

STEADY_S = 0.01
"""What the machine's own workloads take on :func:`steady_machine`."""

GIB = 2**30
"""What a scripted variant is taken to need, see :data:`.claim.PROCESS_BYTES`."""

UNUSED = ("cacheprovider", "hypothesispytest", "anyio", "benchmark")
LIGHT = [word for plugin in UNUSED for word in ("-p", f"no:{plugin}")]
"""pytester imports every plugin anew for every inner run; these have nothing to do there."""

TWO_VARIANTS = """
reference = "fast"

[variants.fast]
engine = "scripted"

[variants.slow]
engine = "scripted"
itl_s = 0.02

[suites.small]
path = "small.toml"
rounds = 3
"""

SMALL = """
[[prompts]]
id = "paris"
prompt = "What is the capital of France?"
task = "qa"
expect = "three"
score = "contains"

[[prompts]]
id = "poem"
prompt = "Write a poem."
"""


@dataclasses.dataclass(frozen=True)
class Project:
    """A folder with files; :meth:`run` runs pytest there, without further plugins if *light*."""

    pytester: pytest.Pytester
    light: bool = True

    @property
    def root(self) -> Path:
        return self.pytester.path

    def with_files(self, **files: str) -> Project:
        """``llmbench_toml="…"`` writes llmbench.toml."""
        for name, text in files.items():
            stem, _, suffix = name.rpartition("_")
            (self.root / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
        return self

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run ``pytest --llmbench`` in this process."""
        return self.run_plain("--llmbench", *arguments)

    def run_plain(self, *arguments: str) -> pytest.RunResult:
        return self.pytester.runpytest(*(LIGHT if self.light else ()), *arguments)

    def run_json(self, *arguments: str) -> dict:
        """Run and return what ``--llmbench-json`` wrote."""
        self.run("--llmbench-json=out.json", *arguments)
        return json.loads((self.root / "out.json").read_text(encoding="utf-8"))

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def files(self) -> set[str]:
        found = (p for p in self.root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        return {str(path.relative_to(self.root)) for path in found}


def with_defaults(function: object, **defaults: object) -> dict[str, object]:
    """The keyword defaults of *function* with some of them replaced."""
    return {**(getattr(function, "__kwdefaults__", None) or {}), **defaults}


@pytest.fixture
def steady_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is always as fast and always idle: times are simulated, it has no say."""
    steady = with_defaults(Bench.__init__, calibrate=lambda: STEADY_S)
    monkeypatch.setattr(Bench.__init__, "__kwdefaults__", steady)
    for module in ("metrics.taint", "runner.measurements"):
        monkeypatch.setattr(f"pytest_llmbench.{module}.round_pace", lambda _: STEADY_S)
    for accepted in ("ACCEPTED_RUN_DELAY", "ACCEPTED_STEAL"):
        monkeypatch.setattr(f"pytest_llmbench.metrics.taint.{accepted}", math.inf)
    with_free_memory(monkeypatch, 64 * GIB)


def with_free_memory(monkeypatch: pytest.MonkeyPatch, available: int) -> None:
    """Let this machine have *available* bytes free, for those who plan what is loaded together."""
    memory = SimpleNamespace(available=available)
    there = SimpleNamespace(virtual_memory=lambda: memory)
    monkeypatch.setattr("pytest_llmbench.runner.planning.psutil", there)


@pytest.fixture
def one_fresh_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks slower is launched again once: each launch takes its second."""
    once = with_defaults(Confirming.__init__, launches=1, launches_of_variant=1)
    monkeypatch.setattr(Confirming.__init__, "__kwdefaults__", once)


@pytest.fixture
def project(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    steady_machine: None,
    one_fresh_launch: None,
) -> Project:
    """An empty project with a machine label of its own."""
    monkeypatch.setenv("CI", "true")
    return Project(pytester).with_files(pytest_ini="[pytest]\nllmbench_machine = box\n")


@pytest.fixture
def small(project: Project) -> Project:
    """Two scripted variants and a suite of two prompts."""
    return project.with_files(llmbench_toml=TWO_VARIANTS, small_toml=SMALL)


def verdicts(document: dict, variant: str | None = None) -> list[tuple[str, str]]:
    """``(metric, kind)`` of every verdict on the cases of *variant*."""
    return [
        (verdict["metric"], verdict["kind"])
        for case in document["cases"]
        if variant in (None, case["variant"])
        for verdict in case["verdicts"]
    ]
