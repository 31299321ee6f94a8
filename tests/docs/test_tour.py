"""The tour, taken: its files written, its commands typed, its words found in what they print.

One prompt and six tokens stand for all, so that it is fast. What is accepted and what is planted
are far apart (five times and thirty times as slow), because six tokens of the demo model take a
hundredth of a second. A tour that goes otherwise is taken once more. Where other programs disturb
the rounds, the plugin says so and decides nothing; then neither can this test.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_llmbench.domain.trace import Contention
from pytest_llmbench.metrics.taint import Machine, taint
from tests.docs.pages import DOCS, ROOT, Fence, fences

TOUR = DOCS / "tour.md"
MODEL = ROOT / "examples" / "demo_model" / "model"
PLACEHOLDER = "/path/to/pytest-llmbench/examples/demo_model/model"
SMALLER = (
    "-p no:cacheprovider --llmbench-rounds=5 --llmbench-json=out.json "
    "-k 'not (poem or renewable or classical or photosynthesis)' "
    "--llmbench-set tolerance.itl_s=400% --llmbench-set tolerance.ttft_s=400% "
    "--llmbench-set suites.exo-five.max_new_tokens=6"
)
PLANTED = ("=bfloat16=100", "=bfloat16=3000")
MACHINE = Machine(processors=os.cpu_count())
_FILE = re.compile(r"(?P<how>Write|Add to)\s+`(?P<name>[\w.]+)`:$")
_STATUS = re.compile(r"Exit status (\d)")
_NUMBER = re.compile(r"[+-]?\d[\d.,]*( (s|ms|µs|KiB|MiB|GiB|%)(?!\w))?")
_UNTOLD = re.compile(r"inconclusive(?= \d+/)")
_UNTOLD_COUNT = re.compile(r"(?<=verdicts: )\d+ inconclusive, ")
_UNSURE = re.compile(
    r"^(=|>|collected|changed|tolerance|interval|rootdir|plugins|platform|variant|load|\W*$)"
)
"""Lines that depend on the machine, its width, or on what this test makes smaller."""


class OtherwiseError(Exception):
    """The tour did not go as the page says."""


class Tour:
    """The project that the page makes, step by step."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._printed = ""
        self.busy: str | None = None
        self.commands = 0

    def take(self, fence: Fence) -> None:
        file = _FILE.search(" ".join(fence.before.split()))
        if fence.info == "console":
            for line in fence.text.splitlines():
                self._type(line.removeprefix("$ "), fence)
        elif fence.info == "text":
            self._compare(fence)
        else:
            assert file is not None, f"{fence}: which file is it?"
            path = self._folder / file["name"]
            with path.open("a" if file["how"] == "Add to" else "x", encoding="utf-8") as out:
                out.write("\n" + fence.text.replace(PLACEHOLDER, str(MODEL)))

    def _type(self, line: str, fence: Fence) -> None:
        words = shlex.split(line)
        if words[0] != "pytest":
            return
        stated = _STATUS.search(fence.after)
        assert stated is not None, f"{fence}: what is its exit status?"
        done = self._run(words)
        self._printed = done.stdout + done.stderr
        self.commands += 1
        self.busy = self.busy or self._disturbed()
        if done.returncode != int(stated[1]):
            raise OtherwiseError(f"{fence}: exit status {done.returncode}\n{self._printed}")

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        words = [word.replace(*PLANTED) for word in words]
        smaller = SMALLER if "--llmbench" in words else "-p no:cacheprovider"
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self._folder,
            env={**os.environ, "PYTEST_ADDOPTS": smaller, "CI": "1", "COLUMNS": "110"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def _compare(self, fence: Fence) -> None:
        """Every sentence of *fence* was printed by the last command, whatever its numbers.

        What the page says of *inconclusive* holds here too: nothing changed, and the machine was
        too restless to say so.
        """
        told = _UNTOLD.sub("ok", _UNTOLD_COUNT.sub("", self._printed))
        printed = {_shape(line) for line in told.splitlines()}
        for line in map(_shape, fence.text.splitlines()):
            if line not in printed and not _UNSURE.match(line):
                raise OtherwiseError(f"{fence}: {line!r} was not printed:\n{self._printed}")

    def _disturbed(self) -> str | None:
        """What disturbed half of some case's rounds in the last session."""
        path = self._folder / "out.json"
        if not path.exists():
            return None
        cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
        path.unlink()
        for case in cases:
            rounds = [taint(Contention(**entry), MACHINE) for entry in case["contention"]]
            reasons = [reason for reason in rounds if reason]
            if len(reasons) * 2 >= len(rounds) > 0:
                return f"{case['id']}: {reasons[0]}"
        return None


def _shape(line: str) -> str:
    """A line without its numbers and its columns."""
    return " ".join(_NUMBER.sub("#", line).split())


@pytest.mark.engine("transformers")
def test_the_tour_goes_as_the_page_says(tmp_path: Path) -> None:
    problem: str | None = "not taken yet"
    for attempt in ("first", "second"):
        tour = Tour(tmp_path / attempt)
        problem = _taken(tour)
        if problem is None:
            break
    if problem is not None and tour.busy is not None:
        pytest.skip(f"this machine is busy ({tour.busy}), so: {problem}")
    assert problem is None, problem
    assert tour.commands >= 7


def _taken(tour: Tour) -> str | None:
    """Take the tour; return what was otherwise."""
    try:
        for fence in fences(TOUR):
            tour.take(fence)
    except OtherwiseError as exc:
        return str(exc)
    return None
