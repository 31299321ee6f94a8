"""The luck of where buffers lie: how far apart is one process with itself?

    python benchmarks/buffers.py [--form llamacpp-f16] [--bouts 16]

Three processes with the same weights under llama.cpp take turns: a yardstick, one that keeps its
context, and one that makes it anew before each bout. For the latter two it prints how far apart the
bouts' median ratios to the yardstick are, and how far the spread of their rounds would carry them.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "verdicts"))

from engines import random_model
from record import GREEDY, PROMPTS, SHAPE, opened, turn, variants

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.runner.placing import Placing
from pytest_llmbench.runner.slices import slice_tokens
from pytest_llmbench.worker import WorkerPool

YARDSTICK, KEPT, FRESH = "yardstick", "kept", "fresh"
PROMPT = next(iter(PROMPTS.values()))
MEDIAN = math.sqrt(math.pi / 2)
"""Standard error of a median, in those of a mean, of many normal values."""

NORMAL = 1.4826
"""Standard deviation of normal values, in median distances from their middle."""


def bouts(model: Path, form: str, count: int, rounds: int) -> dict[str, list[list[float]]]:
    """Return the logarithms of ratios to the yardstick, round by round, of each bout."""
    engine, keys = variants(model, 1)[form]
    pool, found = WorkerPool(), {KEPT: list[list[float]](), FRESH: list[list[float]]()}
    messages = (Message(role="user", content=PROMPT),)
    try:
        workers = {name: opened(pool, name, engine, keys) for name in (YARDSTICK, KEPT, FRESH)}
        order = Placing.here(random.Random()).order()  # noqa: S311 — no secret
        for worker in workers.values():
            worker.keep_on(order[:1])
        for _ in range(count):
            pool.focus(workers[FRESH])
            workers[FRESH].reallocate("a bout")
            for worker in workers.values():
                pool.focus(worker)
                warm = worker.generate(messages, GREEDY, "warm-up")
            tokens = slice_tokens([round_metrics(warm.trace)["itl_s"]], [GREEDY.max_new_tokens])
            seen: dict[str, list[float]] = {KEPT: [], FRESH: []}
            for _ in range(rounds):
                took = {
                    name: round_metrics(reply.trace)["itl_s"]
                    for name, reply in turn(pool, workers, PROMPT, tokens).items()
                }
                for name, ratios in seen.items():
                    ratios.append(math.log(took[name] / took[YARDSTICK]))
            for name, ratios in seen.items():
                found[name].append(ratios)
    finally:
        pool.close()
    return found


def told(name: str, ratios: list[list[float]]) -> str:
    """Return the line on one way."""
    middles = [statistics.median(bout) for bout in ratios]
    apart = statistics.stdev(middles)
    off = [
        abs(each - middle) for bout, middle in zip(ratios, middles, strict=True) for each in bout
    ]
    by_rounds = MEDIAN * NORMAL * statistics.median(off) / math.sqrt(len(ratios[0]))
    return f"{name:<8}{apart:>12.2%}{by_rounds:>20.2%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    forms = ("llamacpp-q8_0", "llamacpp-f16")
    parser.add_argument("--form", choices=forms, default=forms[0])
    parser.add_argument("--bouts", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9, help="of each bout (9)")
    parser.add_argument("--model", type=Path, help="a folder that keeps the model for next time")
    asked = parser.parse_args()
    model = (asked.model or Path(tempfile.mkdtemp())) / "model"
    if not model.exists():
        random_model(model, SHAPE)
    found = bouts(model, asked.form, asked.bouts, asked.rounds)
    print(f"context {'bouts apart':>12}{'by rounds alone':>20}")
    for name, ratios in found.items():
        print(told(name, ratios), flush=True)


if __name__ == "__main__":
    main()
