"""A project as a user has it: files in a folder, and pytest run in it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

# pytester forgets what an inner run imports; numpy can't be imported twice in one process.
import pytest_llmbench.plugin.hooks
import pytest_llmbench.report.table  # noqa: F401
from pytest_llmbench.runner.confirm import Confirming

NO_PAUSES = {**(Confirming.__init__.__kwdefaults__ or {}), "pauses_s": (0.0,)}
"""Simulated time does not pass in pauses."""

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
    """A folder with files; :meth:`run` runs pytest there."""

    pytester: pytest.Pytester

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
        return self.pytester.runpytest(*LIGHT, *arguments)

    def run_json(self, *arguments: str) -> dict:
        """Run and return what ``--llmbench-json`` wrote."""
        self.run("--llmbench-json=out.json", *arguments)
        return json.loads((self.root / "out.json").read_text(encoding="utf-8"))

    def files(self) -> set[str]:
        found = (p for p in self.root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        return {str(path.relative_to(self.root)) for path in found}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project with a machine label of its own."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(Confirming.__init__, "__kwdefaults__", NO_PAUSES)
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
