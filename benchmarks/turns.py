"""Four ways to take turns: how far apart are the ratios of unchanged code?

    python benchmarks/turns.py quiet bursty

Two forms of the demo model, launched again and again: on processors of the system's choice or both
on the same one, rounds whole or cut into slices that alternate. All four ways in every launch, in
random order. For each it prints how far apart single rounds' ratios are, and launches' means, and
what a token takes in the median beside the first way.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "verdicts"))

from neighbours import neighbour
from pairs import ROOT
from record import opened

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.probes.cores import allowed_processors
from pytest_llmbench.runner.placing import Placing
from pytest_llmbench.runner.slices import alternate
from pytest_llmbench.worker import Worker, WorkerPool

PROMPTS = ("What is the capital of France?", "Tell me a story.", "Add 12 and 30.", "What is rain?")
GREEDY = Parameters(
    max_new_tokens=80, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="fixed", chat=None
)
METRICS = ("itl_s", "latency_s", "ttft_s")

Way = tuple[str, int]
"""Whose processors, and the tokens of a slice, or zero."""

Pair = tuple[Mapping[str, float], Mapping[str, float]]
"""The metrics of a round of both variants."""


def turn(pool: WorkerPool, workers: Mapping[str, Worker], prompt: str, tokens: int) -> Pair:
    """Return the metrics of one round of each variant, in the order of *workers*."""
    messages, found = (Message(role="user", content=prompt),), dict[str, Mapping[str, float]]()
    names = random.sample(list(workers), len(workers))
    if tokens:
        cut = {
            name: workers[name].generate_in_slices(messages, GREEDY, "a round", slice_tokens=tokens)
            for name in names
        }
        replies = alternate(
            cut, lambda name, *, again=False: pool.focus(workers[name], again=again)
        )
        found = {name: round_metrics(reply.trace) for name, reply in replies.items()}
    else:
        for name in names:
            pool.focus(workers[name])
            found[name] = round_metrics(workers[name].generate(messages, GREEDY, "a round").trace)
    one, other = workers
    return found[one], found[other]


def launched(ways: list[Way], rounds: int) -> dict[Way, list[list[Pair]]]:
    """Return, by way, rounds of each prompt in one fresh launch of both variants."""
    pool, found = WorkerPool(), {way: [list[Pair]() for _ in PROMPTS] for way in ways}
    model = {"model": str(ROOT / "examples/demo_model/model"), "device": "cpu", "threads": 1}
    placing = Placing.here(random.Random())  # noqa: S311 — no secret
    try:
        workers = {
            dtype: opened(pool, dtype, "transformers", {**model, "dtype": dtype})
            for dtype in ("float32", "bfloat16")
        }
        turn(pool, workers, PROMPTS[0], 0)
        for _ in range(rounds):
            for way in random.sample(ways, len(ways)):
                order = placing.order()
                for worker in workers.values():
                    worker.keep_on(order[:1] if way[0] == "same" else allowed_processors())
                for number, prompt in enumerate(PROMPTS):
                    found[way][number].append(turn(pool, workers, prompt, way[1]))
    finally:
        pool.close()
    return found


def ratio(pair: Pair, metric: str) -> float:
    """Return the logarithm of the second variant's ÷ the first one's."""
    return math.log(pair[1][metric] / pair[0][metric])


def told(launches: list[list[list[Pair]]], first: list[list[list[Pair]]], metric: str) -> str:
    """Return the figures of one metric."""
    ratios = [[[ratio(pair, metric) for pair in pairs] for pairs in each] for each in launches]
    single = math.sqrt(
        statistics.mean(statistics.variance(some) for each in ratios for some in each)
    )
    means = [statistics.mean(itertools.chain(*each)) for each in ratios]
    by_rounds = single / math.sqrt(sum(map(len, ratios[0])))
    takes, took = (
        statistics.median(
            one[metric] for each in some for pairs in each for p in pairs for one in p
        )
        for some in (launches, first)
    )
    return (
        f"{metric}: rounds {single:.1%} apart, launches {statistics.stdev(means):.1%} "
        f"(by their rounds alone {by_rounds:.1%}), takes x{takes / took:.3f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("conditions", nargs="+", help="quiet, bursty, contended")
    parser.add_argument("--tokens", type=int, default=12, help="of a slice (12)")
    parser.add_argument("--launches", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3, help="of each prompt, way and launch (3)")
    asked = parser.parse_args()
    if min(asked.launches, asked.rounds) < 2:
        parser.error("two launches and two rounds are needed to be apart")
    ways: list[Way] = [*itertools.product(("any", "same"), (0, asked.tokens))]
    for condition in asked.conditions:
        found: dict[Way, list[list[list[Pair]]]] = defaultdict(list)
        with neighbour(condition):
            for _ in range(asked.launches):
                for way, rounds in launched(ways, asked.rounds).items():
                    found[way].append(rounds)
        for way in ways:
            cut = f"slices of {way[1]}" if way[1] else "whole rounds"
            for metric in METRICS:
                figures = told(found[way], found[ways[0]], metric)
                print(f"{condition}, {way[0]} processor, {cut}: {figures}", flush=True)


if __name__ == "__main__":
    main()
