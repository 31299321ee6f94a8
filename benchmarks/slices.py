"""Whole rounds beside rounds in slices: how far apart are the ratios of unchanged code?

    python benchmarks/slices.py quiet bursty

Two forms of the demo model take turns, whole and cut, in random order. For each number of tokens
that a slice has (0: the round is whole) it prints how far apart the ratios of single rounds are,
those of the mean of four, and what a token takes in the median beside whole rounds.
"""

from __future__ import annotations

import argparse
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
from pytest_llmbench.runner.slices import alternate
from pytest_llmbench.worker import Worker, WorkerPool

PROMPTS = ("What is the capital of France?", "Tell me a story.", "Add 12 and 30.", "What is rain?")
GREEDY = Parameters(
    max_new_tokens=80, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="fixed", chat=None
)

Metrics = Mapping[str, float]


def turn(
    pool: WorkerPool, workers: Mapping[str, Worker], prompt: str, tokens: int
) -> list[Metrics]:
    """Return the metrics of one round of each variant, in the order of *workers*."""
    messages, found = (Message(role="user", content=prompt),), dict[str, Metrics]()
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
    return [found[name] for name in workers]


def measured(condition: str, sizes: list[int], blocks: int) -> dict[int, list[list[list[Metrics]]]]:
    """Return, by the tokens of a slice, blocks of a round of each prompt."""
    pool, found = WorkerPool(), defaultdict(list)
    model = {"model": str(ROOT / "examples/demo_model/model"), "device": "cpu", "threads": 1}
    with neighbour(condition):
        workers = {
            dtype: opened(pool, dtype, "transformers", {**model, "dtype": dtype})
            for dtype in ("float32", "bfloat16")
        }
        for prompt in PROMPTS:
            turn(pool, workers, prompt, 0)
        for _ in range(blocks):
            for tokens in random.sample(sizes, len(sizes)):
                found[tokens].append([turn(pool, workers, each, tokens) for each in PROMPTS])
    pool.close()
    return found


def told(blocks: list[list[list[Metrics]]], whole: list[list[list[Metrics]]], name: str) -> str:
    """Return the figures of one metric."""
    ratios = [[math.log(other[name] / one[name]) for one, other in block] for block in blocks]
    single = math.sqrt(statistics.mean(statistics.variance(block) for block in ratios))
    mean = statistics.stdev(statistics.mean(block) for block in ratios)
    takes, took = (
        statistics.median(one[name] for block in each for pair in block for one in pair)
        for each in (blocks, whole)
    )
    return f"{name}: a round {single:.1%}, the mean of four {mean:.1%}, takes x{takes / took:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("conditions", nargs="+", help="quiet, bursty, contended")
    parser.add_argument("--tokens", type=int, nargs="+", default=[4, 12, 24], help="of a slice")
    parser.add_argument("--blocks", type=int, default=24, help="of four rounds each (24)")
    asked = parser.parse_args()
    for condition in asked.conditions:
        found = measured(condition, [0, *asked.tokens], asked.blocks)
        for tokens, blocks in sorted(found.items()):
            figures = "; ".join(told(blocks, found[0], name) for name in ("itl_s", "latency_s"))
            what = f"slices of {tokens}" if tokens else "whole"
            print(f"{condition}, {what}: {figures}", flush=True)


if __name__ == "__main__":
    main()
