"""The luck of where buffers lie: how far apart is one process with itself?

    python benchmarks/buffers.py [--form llamacpp-f16] [--bouts 16]

Four processes with the same weights under llama.cpp take turns: a yardstick, one that keeps its
context, and two that make it anew, before each bout and before each round. For the latter three it
prints how far apart the bouts' median ratios to the yardstick are, how far the spread of their
rounds would carry them, and their mean, which says what it costs, of the first token too.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "verdicts"))

from record import GREEDY, PROMPTS, model_in, opened, turn, variants

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.runner.placing import Placing
from pytest_llmbench.runner.slices import slice_tokens
from pytest_llmbench.worker import WorkerPool

YARDSTICK, KEPT, OF_BOUT, OF_ROUND = "yardstick", "kept", "each bout", "each round"
WAYS = (KEPT, OF_BOUT, OF_ROUND)
TIMES = ("itl_s", "ttft_s")
PROMPT = next(iter(PROMPTS.values()))
MEDIAN = math.sqrt(math.pi / 2)
"""Standard error of a median, in those of a mean, of many normal values."""

NORMAL = 1.4826
"""Standard deviation of normal values, in median distances from their middle."""


Ratios = dict[tuple[str, str], list[list[float]]]
"""Logarithms of ratios to the yardstick by way and time, round by round, of each bout."""


def bouts(model: Path, form: str, count: int, rounds: int) -> Ratios:
    """Return what *count* bouts of so many *rounds* come to."""
    engine, keys = variants(model, 1)[form]
    pool, found = WorkerPool(), Ratios()
    messages = (Message(role="user", content=PROMPT),)
    try:
        workers = {name: opened(pool, name, engine, keys) for name in (YARDSTICK, *WAYS)}
        order = Placing.here(random.Random()).order()  # noqa: S311 — no secret
        for worker in workers.values():
            worker.keep_on(order[:1])
        for _ in range(count):
            pool.focus(workers[OF_BOUT])
            workers[OF_BOUT].reallocate("a bout")
            for worker in workers.values():
                pool.focus(worker)
                warm = worker.generate(messages, GREEDY, "warm-up")
            tokens = slice_tokens([round_metrics(warm.trace)["itl_s"]], [GREEDY.max_new_tokens])
            seen: dict[tuple[str, str], list[float]] = {}
            for _ in range(rounds):
                pool.focus(workers[OF_ROUND])
                workers[OF_ROUND].reallocate("a round")
                replies = turn(pool, workers, PROMPT, tokens)
                took = {name: round_metrics(reply.trace) for name, reply in replies.items()}
                for way, time in itertools.product(WAYS, TIMES):
                    ratio = math.log(took[way][time] / took[YARDSTICK][time])
                    seen.setdefault((way, time), []).append(ratio)
            for key, ratios in seen.items():
                found.setdefault(key, []).append(ratios)
    finally:
        pool.close()
    return found


def told(way: str, time: str, ratios: list[list[float]]) -> str:
    """Return the line on one way, and one time of it."""
    middles = [statistics.median(bout) for bout in ratios]
    apart = statistics.stdev(middles)
    off = [
        abs(each - middle) for bout, middle in zip(ratios, middles, strict=True) for each in bout
    ]
    by_rounds = MEDIAN * NORMAL * statistics.median(off) / math.sqrt(len(ratios[0]))
    error = apart / math.sqrt(len(middles))
    mean = f"{statistics.fmean(middles):+.2%} ± {error:.2%}"
    return f"{way:<12}{time:<8}{apart:>12.2%}{by_rounds:>18.2%}{mean:>18}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    forms = ("llamacpp-q8_0", "llamacpp-f16")
    parser.add_argument("--form", choices=forms, default=forms[0])
    parser.add_argument("--bouts", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9, help="of each bout (9)")
    parser.add_argument("--large", action="store_true", help="108 million parameters, not 35")
    parser.add_argument("--model", type=Path, help="a folder that keeps the model for next time")
    asked = parser.parse_args()
    model = model_in(asked.model or Path(tempfile.mkdtemp()), large=asked.large)
    found = bouts(model, asked.form, asked.bouts, asked.rounds)
    print(f"{'context':<20}{'bouts apart':>12}{'by rounds alone':>18}{'longer by':>18}")
    for (way, time), ratios in found.items():
        print(told(way, time, ratios))


if __name__ == "__main__":
    main()
