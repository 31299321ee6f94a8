"""What the plugin costs: while tokens are generated, at pytest's start, and over a session."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pairs import ROOT, Figures, bare_script, in_turns, median, one_round, spread, worker_of

from pytest_llmbench.worker import Worker

MODEL = ROOT / "examples" / "demo_model" / "model"
PROMPT = "Explain the concept of artificial intelligence in simple terms."
TOKENS = 256
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", *PARTS], default="all")
    parser.add_argument("--rounds", type=int, default=30, help="pairs of runs (default 30)")
    asked = parser.parse_args()
    for name, run in PARTS.items():
        if asked.what in ("all", name):
            run(asked.rounds)


# --- decode -----------------------------------------------------------------------------------

BARE = """
import json, sys, time, torch, transformers
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
n = int(sys.argv[3])

class Clock(transformers.generation.BaseStreamer):
    def put(self, value): self.stamps.append(time.perf_counter())
    def end(self): pass

def generate(streamer=None):
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": sys.argv[2]}], add_generation_prompt=True,
        return_tensors="pt", return_dict=True)
    start = time.perf_counter()
    model.generate(**ids, max_new_tokens=n, min_new_tokens=n, do_sample=False, streamer=streamer)
    return time.perf_counter() - start

print("ready", flush=True)
for line in sys.stdin:
    clock = Clock(); clock.stamps = []
    plain = generate()
    generate(clock)
    decode = (n - 1) / (clock.stamps[-1] - clock.stamps[1])
    print(json.dumps({"output": n / plain, "decode": decode}), flush=True)
"""


def plugin_round(worker: Worker) -> Figures:
    """One round through a worker, as the bare script measures it."""
    stamps = one_round(worker, PROMPT, TOKENS).stamps_ns
    return {
        "output": TOKENS / (stamps[-1] / 1e9),
        "decode": (TOKENS - 1) / ((stamps[-1] - stamps[0]) / 1e9),
    }


def decode(rounds: int) -> None:
    options = {"model": str(MODEL), "dtype": "float32", "device": "cpu"}
    with (
        bare_script(BARE, str(MODEL), PROMPT, str(TOKENS)) as bare,
        worker_of("transformers", **options) as worker,
    ):
        pairs = in_turns(lambda: plugin_round(worker), bare, rounds)
    for name in ("output", "decode"):
        mine = [ours[name] for ours, _ in pairs]
        theirs = [bare[name] for _, bare in pairs]
        ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
        print(
            f"decode: {name} tok/s, {TOKENS} tokens, {rounds} pairs: plugin {median(mine):.1f}, "
            f"bare {median(theirs):.1f}, ratio {spread(ratios)} (goal >= 0.99)"
        )


# --- start ------------------------------------------------------------------------------------


def children_s() -> float:
    """Processor seconds of all processes that were started and ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def start(rounds: int) -> None:
    none = ["-p", "no:llmbench", "-p", "no:benchmark", "-p", "no:xdist"]
    ways = {
        "neither": none,
        "llmbench": [*none[2:]],
        "benchmark": [*none[:2], *none[4:]],
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_plain.py").write_text("def test_plain(): pass\n")
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        for _ in range(rounds + 1):
            for name, plugins in ways.items():
                began = children_s()
                command = [*PYTEST, "--co", *plugins]
                subprocess.run(
                    command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL
                )
                times[name].append(children_s() - began)
    base = times["neither"][1:]
    for name, goal in (("llmbench", "goal <= 5 ms"), ("benchmark", "pytest-benchmark, beside it")):
        added = [(a - b) * 1e3 for a, b in zip(times[name][1:], base, strict=True)]
        print(
            f"start: {name} adds {spread(added, '.1f')} ms of processor time to pytest --co of "
            f"{median(base) * 1e3:.0f} ms, {rounds} pairs; fastest runs compared: "
            f"{(min(times[name]) - min(times['neither'])) * 1e3:.1f} ms ({goal})"
        )

    for name, module in (("llmbench", "pytest_llmbench.plugin"), ("benchmark", BENCHMARK)):
        parts = [start_parts(name, module) for _ in range(9)]
        imports, hooks = (median([part[index] for part in parts]) for index in (0, 1))
        print(
            f"start: {name}: {imports:.1f} ms to import it + {hooks:.1f} ms of its hooks in "
            f"pytest --co = {imports + hooks:.1f} ms (medians of 9 processes)"
        )


BENCHMARK = "pytest_benchmark.plugin"
PARTS_OF_START = """
import contextlib, importlib, io, statistics, sys, time, pytest
name, module = sys.argv[1:]
began = time.perf_counter()
importlib.import_module(module)
imported = time.perf_counter() - began
others = [p for p in ("llmbench", "benchmark", "xdist", "hypothesispytest", "anyio") if p != name]
quiet = ["--co", "-q", "-p", "no:cacheprovider", *(f"-pno:{p}" for p in others)]
def run(*extra):
    began = time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*extra, *quiet])
    return time.process_time() - began
pairs = [run() - run(f"-pno:{name}") for _ in range(25)]
print(imported * 1e3, statistics.median(pairs[3:]) * 1e3)
"""


def start_parts(name: str, module: str) -> tuple[float, float]:
    """Return milliseconds to import a plugin, and what it adds to a warm ``pytest --co``."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_plain.py").write_text("def test_plain(): pass\n")
        Path(folder, "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-c", PARTS_OF_START, name, module]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    imported, hooks = map(float, done.stdout.split())
    return imported, hooks


# --- session ----------------------------------------------------------------------------------


def session(_rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out.json")
        command = [*PYTEST, "--llmbench", "--llmbench-no-compare", f"--llmbench-json={path}"]
        began = time.perf_counter()
        subprocess.run(
            command, cwd=ROOT / "examples" / "demo", check=True, stdout=subprocess.DEVNULL
        )
        wall = time.perf_counter() - began
        document = json.loads(path.read_text())
    lives = [variant["life_cycle"] for variant in document["variants"].values()]
    cases = document["cases"]
    parts = {
        "starts": total(lives, "start_s"),
        "loads": total(lives, "load_s"),
        "first generations and frees": total(lives, "first_generate_s") + total(lives, "free_s"),
        "warm-up (the memory pass)": sum(case["warmup_s"] for case in cases),
        "timed rounds": sum(r["wall_s"] for case in cases for r in case["contention"]),
    }
    for name, seconds in parts.items():
        print(f"session: {name}: {seconds:.2f} s")
    ratio = wall / sum(parts.values())
    print(f"session: wall {wall:.2f} s / their sum {sum(parts.values()):.2f} s = {ratio:.3f}")
    print("session: goal <= 1.10; a start is the process and its engine's imports")


def total(lives: Sequence[dict[str, dict[str, float]]], metric: str) -> float:
    return sum(life[metric]["value"] for life in lives if metric in life)


PARTS = {"decode": decode, "start": start, "session": session}

if __name__ == "__main__":
    main()
