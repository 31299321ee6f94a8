"""The luck of a process: how far apart are several of one model?

    python benchmarks/processes.py [--form llamacpp-q8_0] [--processes 16] [--large]

Processes with the same weights take turns on one processor, in slices. For each it prints by how
much its tokens take longer than those of the middle one, with the standard error of its rounds.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "verdicts"))

import numpy as np
from buffers import MEDIAN
from numpy.typing import NDArray
from record import PROMPTS, freshen, model_in, opened, turn, variants

from pytest_llmbench.metrics.rounds import round_metrics
from pytest_llmbench.runner.placing import Placing
from pytest_llmbench.runner.slices import LEAST_SLICE_TOKENS
from pytest_llmbench.worker import Worker, WorkerPool

FORMS = ("llamacpp-q8_0", "llamacpp-f16", "transformers-f32", "transformers-bf16")
PROMPT = next(iter(PROMPTS.values()))


def apart(model: Path, form: str, processes: int, rounds: int) -> NDArray[np.float64]:
    """Return logarithms of times between tokens ÷ their median, shape ``(processes, rounds)``."""
    engine, keys = variants(model, 1)[form]
    pool = WorkerPool()
    try:
        workers = {
            name: opened(pool, name, engine, keys) for name in map(str, range(1, processes + 1))
        }
        placing = Placing.here(random.Random())  # noqa: S311 — no secret
        seen = [_gaps(pool, workers, placing) for _ in range(1 + rounds)]
    finally:
        pool.close()
    logs = np.log(seen[1:]).T
    return logs - np.median(logs, axis=0)


def _gaps(pool: WorkerPool, workers: Mapping[str, Worker], placing: Placing) -> list[float]:
    """Return one round's median time between tokens of each process, on a processor of chance."""
    order = placing.order()
    for worker in workers.values():
        worker.keep_on(order[:1])
    freshen(pool, workers)
    replies = turn(pool, workers, PROMPT, LEAST_SLICE_TOKENS)
    return [round_metrics(replies[name].trace)["itl_s"] for name in workers]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--form", choices=FORMS, default=FORMS[0])
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--large", action="store_true", help="108 million parameters, not 35")
    parser.add_argument("--model", type=Path, help="a folder that keeps the model for next time")
    asked = parser.parse_args()
    model = model_in(asked.model or Path(tempfile.mkdtemp()), large=asked.large)
    logs = apart(model, asked.form, asked.processes, asked.rounds)
    middles = np.median(logs, axis=1)
    errors = MEDIAN / math.sqrt(asked.rounds) * np.std(logs, axis=1, ddof=1)
    for number, (middle, error) in enumerate(zip(middles, errors, strict=True), start=1):
        print(f"{number:>3}{middle:>+9.1%} ± {error:.1%}")
    print(f"apart by {np.std(middles, ddof=1):.1%}; by their rounds alone {np.mean(errors):.1%}")


if __name__ == "__main__":
    main()
