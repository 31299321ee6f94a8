"""Records real sessions of unchanged code: what the judge is tried on.

    python benchmarks/verdicts/record.py quiet 8 bursty 8 contended 8
    python benchmarks/verdicts/record.py --twins quiet 8 bursty 8

Each session starts a fresh process for every variant; the rounds of a turn are cut into slices
that alternate on the same processors, and those that wait are stopped. With --twins each variant
takes turns with a second process of itself instead of with the others, as side by side. What is
kept of a round is a line of figures.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from engines import WORDS, gguf_of, random_model  # noqa: E402 — beside this folder
from neighbours import neighbour  # noqa: E402
from pairs import ROOT  # noqa: E402
from sessions import RECORDINGS, SIDE_BY_SIDE, twin_of  # noqa: E402

from pytest_llmbench.domain.case import Parameters  # noqa: E402
from pytest_llmbench.domain.gate import Gates  # noqa: E402
from pytest_llmbench.domain.suite import Message  # noqa: E402
from pytest_llmbench.domain.variant import Variant  # noqa: E402
from pytest_llmbench.metrics.rounds import round_metrics  # noqa: E402
from pytest_llmbench.probes.calibration import read_calibration  # noqa: E402
from pytest_llmbench.runner.placing import Placing  # noqa: E402
from pytest_llmbench.runner.slices import alternate, slice_tokens  # noqa: E402
from pytest_llmbench.worker import Worker, WorkerPool  # noqa: E402
from pytest_llmbench.worker.messages import Generated  # noqa: E402

PROMPTS = {f"words-{count}": " ".join((WORDS * 6).split()[:count]) for count in range(6, 78, 6)}
GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="fixed", chat=None
)
SHAPE = {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 10}
"""Of a model with 35 million random parameters, at four bytes larger than the caches."""

LARGE = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 15}
"""Of one with 108 million, at one byte larger than the caches."""

REFERENCE = "transformers-f32"

FIELDS = (
    "at_s", "ttft_s", "itl_s", "latency_s", "run_delay_share", "steal_share", "memory_s",
    "pace_before_s", "pace_after_s",
)  # fmt: skip


def model_in(folder: Path, *, large: bool) -> Path:
    """Return the model of that size in *folder*, which is made if it is not there."""
    model = folder / ("large" if large else "small") / "model"
    if not model.exists():
        model.parent.mkdir(parents=True, exist_ok=True)
        random_model(model, LARGE if large else SHAPE)
    return model


def variants(model: Path, threads: int) -> dict[str, tuple[str, dict[str, object]]]:
    """Return the engine and its keys of each variant."""
    f16 = gguf_of(model)
    q8 = model.with_name("q8_0.gguf")
    if not q8.exists():
        from gguf_forms import quantize

        quantize(f16, q8, "LLAMA_FTYPE_MOSTLY_Q8_0")
    torch = {"device": "cpu", "threads": threads}
    llama = {"threads": threads, "context": 512}
    return {
        REFERENCE: ("transformers", {"model": str(model), "dtype": "float32", **torch}),
        "transformers-bf16": ("transformers", {"model": str(model), "dtype": "bfloat16", **torch}),
        "llamacpp-f16": ("llama-cpp", {"model": str(f16), **llama}),
        "llamacpp-q8_0": ("llama-cpp", {"model": str(q8), **llama}),
    }


Rounds = dict[str, list[list[float]]]
"""Figures of every round, by prompt."""


class Size(NamedTuple):
    """How much a session measures: threads of each variant, prompts, rounds of each of these."""

    threads: int
    prompts: int
    rounds: int


def record(model: Path, size: Size, *, twins: bool) -> dict[str, object]:
    """Return one session: figures of every round by variant and prompt."""
    every = variants(model, size.threads)
    crews = [every]
    if twins:  # either may be loaded first, as side by side
        pairs = {name: random.sample((name, twin_of(name)), 2) for name in every}
        crews = [dict.fromkeys(pair, every[name]) for name, pair in pairs.items()]
    rounds: dict[str, Rounds] = {}
    for crew in crews:
        rounds |= recorded(crew, size)
    return {"fields": FIELDS, "reference": None if twins else REFERENCE, "rounds": rounds}


def recorded(crew: Mapping[str, tuple[str, dict[str, object]]], size: Size) -> dict[str, Rounds]:
    """Return the rounds of variants that take turns, each freshly launched."""
    pool = WorkerPool()
    workers = {name: opened(pool, name, engine, keys) for name, (engine, keys) in crew.items()}
    began, tokens_s = time.monotonic(), list[float]()
    rounds: dict[str, Rounds] = {name: {} for name in workers}
    placing = Placing.here(random.Random())  # noqa: S311 — no secret
    for prompt, text in list(PROMPTS.items())[: size.prompts]:
        order = placing.order()
        for worker in workers.values():
            worker.keep_on(order[: size.threads])
        for number in range(-1, size.rounds):
            freshen(pool, workers)
            pool.rest()
            memory_s = read_calibration()
            at_s = time.monotonic() - began
            replies = turn(pool, workers, text, slice_tokens(tokens_s, [GREEDY.max_new_tokens]))
            tokens_s = [round_metrics(reply.trace)["itl_s"] for reply in replies.values()]
            for name, reply in replies.items():
                if number >= 0:
                    rounds[name].setdefault(prompt, []).append(figures(at_s, memory_s, reply))
    pool.close()
    return rounds


def freshen(pool: WorkerPool, workers: Mapping[str, Worker]) -> None:
    """Give each fresh buffers, as before every round on a CPU."""
    for worker in workers.values():
        pool.focus(worker)
        worker.reallocate("a round")


def turn(
    pool: WorkerPool, workers: Mapping[str, Worker], text: str, tokens: int
) -> dict[str, Generated]:
    """Return one round of each variant: their slices of *tokens* alternate, in random order."""
    messages = (Message(role="user", content=text),)
    cut = {
        name: workers[name].generate_in_slices(messages, GREEDY, "a round", slice_tokens=tokens)
        for name in random.sample(list(workers), len(workers))
    }
    return alternate(cut, lambda name, *, again=False: pool.focus(workers[name], again=again))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("asked", nargs="+", help="condition and number of sessions, in turns")
    parser.add_argument("--twins", action="store_true", help="each in turns with itself alone")
    parser.add_argument("--out", type=Path, help="default: recordings, or side-by-side in it")
    parser.add_argument("--threads", type=int, default=1, help="of each variant (1)")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS), help="the shortest so many")
    parser.add_argument("--rounds", type=int, default=5, help="of each prompt (5)")
    parser.add_argument("--large", action="store_true", help="108 million parameters, not 35")
    parser.add_argument("--model", type=Path, help="a folder that keeps the model for next time")
    asked = parser.parse_args()
    model = model_in(asked.model or Path(tempfile.mkdtemp()), large=asked.large)
    size = Size(asked.threads, asked.prompts, asked.rounds)
    out = asked.out or (SIDE_BY_SIDE if asked.twins else RECORDINGS)
    out.mkdir(parents=True, exist_ok=True)
    for condition, count in zip(asked.asked[::2], asked.asked[1::2], strict=True):
        for _ in range(int(count)):
            with neighbour(condition):
                began = time.monotonic()
                session = record(model, size, twins=asked.twins)
            with (out / f"{condition}.jsonl").open("a") as file:
                file.write(json.dumps(session) + "\n")
            print(condition, f"{time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
