"""The package of the page is made, installed, asked for its contract and measured."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_llmbench.testing import EngineContract
from pytest_llmbench.testing.terms import Terms
from tests.docs.pages import DOCS, code, fences, rows, section

PAGE = DOCS / "write-an-engine.md"
FILE = re.compile(r"Write `([\w.]+)`:$")
PIP = ["install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target"]


class Package:
    """The folder that the page makes, and the package installed beside Python's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for fence in fences(PAGE):
            file = FILE.search(fence.before)
            if file is not None:
                (root / file[1]).write_text(fence.text, encoding="utf-8")
        self.site = root / "site"
        installed = self._run("-m", "pip", *PIP, str(self.site), ".")
        assert installed.returncode == 0, installed.stderr
        (root / "llmbench_bigram.py").unlink()  # what was installed is what runs

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        program, *words = line.split()
        module = {"pytest": "pytest", "llmbench": "pytest_llmbench.cli"}[program]
        call = "import sys; from pytest_llmbench.cli import main; sys.exit(main(sys.argv[1:]))"
        start = ["-m", module] if program == "pytest" else ["-c", call]
        return self._run(*start, *words)

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env={
                **os.environ,
                "PYTHONPATH": str(self.root / "site"),
                "PYTEST_ADDOPTS": "-p no:cacheprovider",
                "COLUMNS": "200",
                "CI": "1",
            },
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return Package(tmp_path_factory.mktemp("bigram"))


def commands() -> list[str]:
    lines = [line for fence in fences(PAGE, "console") for line in fence.text.splitlines()]
    return [line.removeprefix("$ ") for line in lines]


def test_the_commands_are_these() -> None:
    assert commands() == [
        "pip install -e .",
        "pytest test_bigram.py",
        "pytest --llmbench",
        "llmbench doctor",
    ]


def test_the_contract_is_kept(package: Package) -> None:
    done = package.type("pytest test_bigram.py -rs")
    assert done.returncode == 0, done.stdout
    summary = done.stdout.strip().splitlines()[-1]
    skipped = re.findall(r"^SKIPPED \[(\d+)\] \S+ (.*)$", done.stdout, re.MULTILINE)
    count = sum(int(times) for times, _ in skipped)
    promises = [name for name in dir(EngineContract) if name.startswith("test_")]
    assert int(re.search(r"(\d+) passed", summary)[1]) >= len(promises) - count  # type: ignore[index]
    reasons = ("figures of its own", "too little", "tells no probabilities")
    assert all(any(reason in why for reason in reasons) for _, why in skipped), skipped


def test_it_is_measured(package: Package) -> None:
    done = package.type("pytest --llmbench")
    assert done.returncode == 0, done.stdout
    assert re.search(r"^ *garden +exo-five .* new 5/5$", done.stdout, re.MULTILINE), done.stdout


def test_the_doctor_shows_it(package: Package) -> None:
    done = package.type("llmbench doctor")
    assert done.returncode == 0, done.stdout
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    at = lines.index("bigram works")
    assert lines[at + 1 : at + 3] == ["from llmbench-bigram 1.0", "devices cpu"]
    assert lines[at + 3].startswith("libraries numpy ")
    assert lines[at + 4] == "notes words are counted in float32"
    assert "garden can run" in lines


def test_a_broken_promise_reads_as_the_page_says(package: Package) -> None:
    path = package.site / "llmbench_bigram.py"
    whole = path.read_text()
    path.write_text(whole.replace('"stop" if said[-1] == END else "length"', '"stop"'))
    try:
        done = package.type("pytest test_bigram.py -k limit")
    finally:
        path.write_text(whole)
    shown = next(f.text.strip() for f in fences(PAGE, "text") if f.before.endswith("to do:"))
    assert done.returncode == 1
    assert shown in done.stdout


def test_every_attribute_is_in_the_table() -> None:
    table = {code(row[0]): row[1] for row in rows(section(PAGE, "Its contract"))}
    assert list(table) == list(Terms.__annotations__)
    for name, default in table.items():
        value = getattr(Terms, name, None)
        if default in ("–", "a list"):
            assert value is None or isinstance(value, tuple)
        else:
            assert code(default) == repr(value).replace("'", '"')
