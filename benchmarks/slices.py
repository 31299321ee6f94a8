"""How finely the rounds of a turn are cut: how far apart are two processes of one model?

    python benchmarks/slices.py --form llamacpp-q8_0 --large --tokens 4 2 1

Two processes with the same weights take turns on one processor, their rounds cut into slices of so
many tokens, all ways in every turn in random order. For each it prints how far apart single rounds'
ratios are (standard deviation, and middle distance from their middle as that of normal values),
and what a token takes in the median beside the first way, and a turn with all its pauses.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "verdicts"))

import numpy as np
from buffers import NORMAL
from numpy.typing import NDArray
from processes import FORMS
from record import PROMPTS, freshen, model_in, opened, turn, variants

from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.runner.placing import Placing
from pytest_llmbench.worker import WorkerPool


class Asked(argparse.Namespace):
    """What was typed."""

    form: str
    tokens: list[int]
    prompts: int
    rounds: int
    large: bool
    model: Path | None


def taken(model: Path, asked: Asked) -> NDArray[np.float64]:
    """Return what turns took, s, shape ``(ways, turns, 3)``: a token of either, and all of it."""
    engine, keys = variants(model, 1)[asked.form]
    pool, seen = WorkerPool(), [list[Sequence[float]]() for _ in asked.tokens]
    try:
        workers = {name: opened(pool, name, engine, keys) for name in ("one", "other")}
        placing = Placing.here(random.Random())  # noqa: S311 — no secret
        for prompt in list(PROMPTS.values())[: asked.prompts]:
            order = placing.order()
            for worker in workers.values():
                worker.keep_on(order[:1])
            for number in range(1 + asked.rounds):
                for way in random.sample(range(len(asked.tokens)), len(asked.tokens)):
                    freshen(pool, workers)
                    began = time.monotonic()
                    replies = turn(pool, workers, prompt, asked.tokens[way])
                    turn_s = time.monotonic() - began
                    tokens_s = [round_metrics(replies[name].trace)["itl_s"] for name in workers]
                    if number:  # the first is warm-up
                        seen[way].append([*tokens_s, turn_s])
    finally:
        pool.close()
    return np.array(seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--form", choices=FORMS, default=FORMS[0])
    parser.add_argument("--tokens", type=int, nargs="+", default=[4, 2, 1], help="of a slice")
    parser.add_argument("--prompts", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5, help="of each prompt and way (5)")
    parser.add_argument("--large", action="store_true", help="108 million parameters, not 35")
    parser.add_argument("--model", type=Path, help="a folder that keeps the model for next time")
    asked = parser.parse_args(namespace=Asked())
    model = model_in(asked.model or Path(tempfile.mkdtemp()), large=asked.large)
    logs = np.log(taken(model, asked))
    middles = np.median(logs, axis=1)
    for tokens, way, (one, other, whole) in zip(asked.tokens, logs, middles, strict=True):
        ratios = way[:, 1] - way[:, 0]
        middle = NORMAL * np.median(np.abs(ratios - np.median(ratios)))
        longer = (one + other - middles[0, 0] - middles[0, 1]) / 2
        print(
            f"slices of {tokens:>3} tokens, {1e3 * tokens * np.exp((one + other) / 2):6.1f} ms: "
            f"rounds {np.std(ratios, ddof=1):.1%} apart ({middle:.1%} without outliers), "
            f"a token takes {longer:+.1%}, a turn {whole - middles[0, 2]:+.1%}"
        )


if __name__ == "__main__":
    main()
