"""Records real sessions of unchanged code: what the judge is tried on.

    python benchmarks/verdicts/record.py quiet 8 bursty 8 contended 8

Each session starts a fresh process for every variant; the rounds of a prompt go over all of
them in random order, those that wait are stopped. What is kept of a round is a line of figures.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from engines import WORDS, gguf_of, random_model  # noqa: E402 — beside this folder
from neighbours import neighbour  # noqa: E402
from pairs import ROOT  # noqa: E402

from pytest_llmbench.domain.case import Parameters  # noqa: E402
from pytest_llmbench.domain.gate import Gates  # noqa: E402
from pytest_llmbench.domain.suite import Message  # noqa: E402
from pytest_llmbench.domain.variant import Variant  # noqa: E402
from pytest_llmbench.metrics.rounds import round_metrics  # noqa: E402
from pytest_llmbench.probes.calibration import read_calibration  # noqa: E402
from pytest_llmbench.worker import Worker, WorkerPool  # noqa: E402
from pytest_llmbench.worker.messages import Generated  # noqa: E402

PROMPTS = {f"words-{count}": " ".join((WORDS * 6).split()[:count]) for count in range(6, 78, 6)}
ROUNDS = 5
SHAPE = {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 10}
"""Of a model with 36 million random parameters, at four bytes larger than the caches."""

FIELDS = (
    "at_s", "ttft_s", "itl_s", "latency_s", "run_delay_share", "steal_share", "memory_s",
    "pace_before_s", "pace_after_s",
)  # fmt: skip


def variants(model: Path, threads: int) -> dict[str, tuple[str, dict[str, object], int]]:
    """Return the engine, its keys and the number of tokens of each variant."""
    f16 = gguf_of(model)
    q8 = model.with_name("q8_0.gguf")
    if not q8.exists():
        from gguf_forms import quantize

        quantize(f16, q8, "LLAMA_FTYPE_MOSTLY_Q8_0")
    torch = {"device": "cpu", "dtype": "float32", "threads": threads}
    llama = {"threads": threads, "context": 512}
    return {
        "transformers-f32": ("transformers", {"model": str(model), **torch}, 8),
        "llamacpp-f16": ("llama-cpp", {"model": str(f16), **llama}, 24),
        "llamacpp-q8_0": ("llama-cpp", {"model": str(q8), **llama}, 32),
    }


def record(model: Path, threads: int) -> dict[str, object]:
    """Return one session: figures of every round by variant and prompt."""
    pool, workers, tokens = WorkerPool(), {}, {}
    for name, (engine, options, count) in variants(model, threads).items():
        workers[name], tokens[name] = opened(pool, name, engine, options), count
    began = time.monotonic()
    rounds: dict[str, dict[str, list[list[float]]]] = {name: {} for name in workers}
    for prompt, text in PROMPTS.items():
        for number in range(-1, ROUNDS):
            pool.rest()
            memory_s = read_calibration()
            for name in random.sample(list(workers), len(workers)):
                pool.focus(workers[name])
                at_s = time.monotonic() - began
                reply = workers[name].generate(
                    (Message(role="user", content=text),), greedy(tokens[name]), "a round"
                )
                if number >= 0:
                    rounds[name].setdefault(prompt, []).append(figures(at_s, memory_s, reply))
    pool.close()
    return {"fields": FIELDS, "rounds": rounds}


def figures(at_s: float, memory_s: float, reply: Generated) -> list[float]:
    """Return what is kept of one round, in the order of the fields."""
    found, around = round_metrics(reply.trace), reply.contention
    assert around is not None, "a timed round reads contention"
    kept = [
        at_s, found["ttft_s"], found["itl_s"], found["latency_s"],
        (around.run_delay_s or 0) / around.wall_s, (around.steal_s or 0) / around.wall_s,
        memory_s, *(around.paces_s or (0.0, 0.0)),
    ]  # fmt: skip
    return [float(f"{figure:.4g}") for figure in kept]


def opened(pool: WorkerPool, name: str, engine: str, options: dict[str, object]) -> Worker:
    """Return a worker with the model loaded."""
    variant = Variant(
        id=name, engine=engine, options=options, base_dir=ROOT, python=None, host=None,
        load_timeout_s=600.0, round_timeout_s=600.0, gates=Gates(),
    )  # fmt: skip
    worker = pool.open(variant)
    worker.start()
    worker.load()
    return worker


def greedy(tokens: int) -> Parameters:
    """Return the parameters of a round of exactly so many tokens."""
    return Parameters(
        max_new_tokens=tokens, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="fixed",
        chat=None,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("asked", nargs="+", help="condition and number of sessions, in turns")
    parser.add_argument("--out", type=Path, default=HERE / "recordings")
    parser.add_argument("--threads", type=int, default=1, help="of each variant (1)")
    parser.add_argument("--model", type=Path, help="a folder that keeps the model for next time")
    asked = parser.parse_args()
    folder = asked.model or Path(tempfile.mkdtemp())
    model = folder / "model"
    if not model.exists():
        random_model(model, SHAPE)
    asked.out.mkdir(exist_ok=True)
    for condition, count in zip(asked.asked[::2], asked.asked[1::2], strict=True):
        for _ in range(int(count)):
            with neighbour(condition):
                began = time.monotonic()
                session = record(model, asked.threads)
            with (asked.out / f"{condition}.jsonl").open("a") as file:
                file.write(json.dumps(session) + "\n")
            print(condition, f"{time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
