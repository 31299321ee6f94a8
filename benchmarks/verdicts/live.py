"""The whole plugin on the demo beside a neighbour that comes and goes: does it cry wolf?

    python benchmarks/verdicts/live.py --baseline 5 --same 20 --slower 10

Saves a baseline, then runs sessions of unchanged code and sessions in which one variant is
slowed on purpose, and counts what was reported. Every session is a `pytest --llmbench` of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from neighbours import neighbour

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo"


def session(folder: Path, name: str, *options: str) -> tuple[dict[str, object], float]:
    """Return what one session wrote as JSON, kept as *name*, and the seconds that it took."""
    target = folder / f"{name}-{int(time.time())}.json"
    began = time.monotonic()
    subprocess.run(
        [
            sys.executable, "-m", "pytest", "--llmbench", "-q", f"--llmbench-json={target}",
            f"--llmbench-baselines={folder / 'baselines'}", *options,
        ],
        cwd=DEMO, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    return json.loads(target.read_text()), time.monotonic() - began


def accused(written: dict[str, object]) -> dict[str, list[str]]:
    """Return the regressed metrics by variant, of cases and of variants as wholes."""
    found: dict[str, list[str]] = {}
    for case in written["cases"]:
        for verdict in case["verdicts"]:
            if verdict["kind"] == "regressed":
                found.setdefault(case["variant"], []).append(f"{case['id']} {verdict['metric']}")
    for name, variant in written["variants"].items():
        for verdict in variant["verdicts"]:
            if verdict["kind"] == "regressed":
                found.setdefault(name, []).append(f"as a whole {verdict['metric']}")
    return found


def counted(written: dict[str, object]) -> Counter[str]:
    """Return how many verdicts of each kind there are."""
    every = (*written["cases"], *written["variants"].values())
    return Counter(verdict["kind"] for each in every for verdict in each["verdicts"])


def run(name: str, count: int, folder: Path, options: Sequence[str], condition: str) -> list[bool]:
    """Run sessions, say a line of each, and return whether each accused anybody."""
    results = []
    for number in range(1, count + 1):
        with neighbour(condition):
            written, seconds = session(folder, name.partition(" ")[0], *options)
        found = accused(written)
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counted(written).items()))
        told = "; ".join(f"{who}: {', '.join(what[:4])}" for who, what in found.items()) or "nobody"
        print(f"{name} {number}: {seconds:.0f} s, {kinds}; accused: {told}", flush=True)
        results.append(bool(found))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--baseline", type=int, default=5)
    parser.add_argument("--same", type=int, default=20)
    parser.add_argument("--slower", type=int, default=10)
    parser.add_argument("--plant", default="bfloat16=5%")
    parser.add_argument("--condition", default="bursty")
    parser.add_argument("--folder", type=Path, help="keeps baseline and results for next time")
    parser.add_argument("options", nargs="*", help="further options of pytest --llmbench")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    save = [*asked.options, "--llmbench-save", "--llmbench-save-failed"]
    run("baseline", asked.baseline, folder, save, asked.condition)
    same = run("unchanged", asked.same, folder, asked.options, asked.condition)
    planted = [*asked.options, f"--llmbench-plant={asked.plant}"]
    slower = run(f"planted {asked.plant}", asked.slower, folder, planted, asked.condition)
    print(f"unchanged code accused in {sum(same)} of {len(same)} sessions")
    print(f"the planted slowdown reported in {sum(slower)} of {len(slower)} sessions")


if __name__ == "__main__":
    main()
