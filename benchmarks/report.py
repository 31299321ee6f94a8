"""A report of 1,000 cases of 10 rounds: seconds to write, megabytes, seconds until it answers.

Writing is timed in a fresh process each, everything included: Python, the libraries, reading the
record. In Chromium the page's own clock runs from the start of the navigation: until it is ready
(all words there, filters and links answer), until the last chart is drawn, and how long a click on
a filter takes until the page shows it. Medians of all runs.
"""

from __future__ import annotations

import argparse
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from pytest_llmbench.domain.record import JudgedCase, SessionRecord  # noqa: E402 — as above
from pytest_llmbench.report.json_report import write_json  # noqa: E402 — as above
from tests.report.studies import session  # noqa: E402 — the path comes first

CASES: Final = 1000
ROUNDS: Final = 10
WORDS: Final = 150
GOALS: Final = {"write_s": 5.0, "html_mb": 8.0, "ready_s": 2.0}
SWITCHES: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update",
                   "--disable-sync")  # fmt: skip
CLICK: Final = """() => new Promise((done) => {
  const button = document.querySelector('.panel button[data-filter="variant"]');
  const began = performance.now();
  button.click();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began), 0));
})"""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args(argv).runs
    with tempfile.TemporaryDirectory() as folder:
        record, page = Path(folder) / "out.json", Path(folder) / "report.html"
        kept = large_session()
        write_json(record, kept)
        print(f"{len(kept.cases)} cases of {ROUNDS} rounds, {WORDS} words a text")
        print(f"record   {record.stat().st_size / 1e6:.1f} MB")
        each = [seconds_to_write(record, page) for _ in range(runs)]
        written, worked = (statistics.median(times) for times in zip(*each, strict=True))
        size = page.stat().st_size / 1e6
        print(
            f"write    {told(written, 'write_s')} s, of which the processor worked {worked:.2f} s"
        )
        print(f"page     {told(size, 'html_mb')} MB")
        for name, value in in_chromium(page, runs).items():
            print(f"{name:<9}{told(value, f'{name}_s')} s")


def large_session() -> SessionRecord:
    """A session whose texts have :data:`WORDS` words, of which variants change a few."""
    kept = session(prompts=(CASES - 48 + 15) // 16, rounds=ROUNDS)
    dice = random.Random(7)  # noqa: S311 — words for a report, no secret
    words = [f"{a}{b}" for a in ("mo", "ta", "ri", "le", "su") for b in ("ne", "lo", "", "ras")]
    texts: dict[str, list[str]] = {}

    def longer(judged: JudgedCase) -> JudgedCase:
        record = judged.record
        prompt = record.case.prompt.id
        text = texts.setdefault(prompt, [dice.choice(words) for _ in range(WORDS)])
        changed = [word if dice.random() > 0.03 else dice.choice(words) for word in text]
        original = record.original and f"{record.original} {' '.join(text)}"
        own = f"{record.text} {' '.join(text if record.original is None else changed)}"
        longer = msgspec.structs.replace(record, text=own, original=original)
        return msgspec.structs.replace(judged, record=longer)

    return msgspec.structs.replace(kept, cases=tuple(map(longer, kept.cases)))


def seconds_to_write(record: Path, page: Path) -> tuple[float, float]:
    """Return what ``llmbench report`` takes in a process of its own: seconds, and processor's."""
    command = "import sys; from pytest_llmbench.cli import main; sys.exit(main(sys.argv[1:]))"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", command, "report", str(record), f"--html={page}"],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_chromium(page: Path, runs: int) -> Mapping[str, float]:
    """Return seconds until the page is ready, until all is drawn, and a click's."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(SWITCHES)
        )
        each = [one_visit(browser, page) for _ in range(runs)]
        browser.close()
    return {name: statistics.median(visit[name] for visit in each) for name in each[0]}


def one_visit(browser: Any, page: Path) -> dict[str, float]:  # Any: playwright's browser
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-drawn]", state="attached")
    mark = "name => performance.getEntriesByName(name)[0].startTime"
    found = {name: tab.evaluate(mark, name) / 1e3 for name in ("ready", "drawn")}
    found["click"] = tab.evaluate(CLICK) / 1e3
    tab.close()
    return found


def told(value: float, name: str) -> str:
    goal = GOALS.get(name)
    if goal is None:
        return f"{value:.2f}"
    return f"{value:.2f} ({'kept' if value < goal else 'MISSED'}: below {goal:g})"


if __name__ == "__main__":
    main()
