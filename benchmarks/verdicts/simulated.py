"""Writes sessions of a machine as steady as one is told: what would the rules do there?

    python benchmarks/verdicts/simulated.py FOLDER [--sessions 40]
    python benchmarks/verdicts/table.py --recordings FOLDER
    python benchmarks/verdicts/simulated.py FOLDER --twins
    python benchmarks/verdicts/table.py --recordings FOLDER --baseline 0 --launches 3

A recording is of the machine that it was made on. These are drawn from figures that were measured
on a quieter one (docs/verdicts.md, "Where the noise figures come from"): median time between
tokens 0.9 % apart between launches, its ratio in turns 0.65 %, 1 % within a launch; TTFT 5 % from
round to round, its fastest 1.5 % apart. Beside the bursty neighbour two rounds of five are
disturbed: tokens take 2.5 times as long, the first one two to five times, threads wait. Twins are
as far apart as other variants: what was measured there is of twins.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from record import FIELDS
from sessions import twin_of

REFERENCE: Final = "llamacpp-f16"

LEVELS: Final = {
    "transformers-f32": (0.020, 0.045),
    REFERENCE: (0.0050, 0.012),
    "llamacpp-q8_0": (0.0035, 0.010),
}
"""Seconds between tokens and to the first one, of unchanged code."""

PROMPTS: Final = 8
ROUNDS: Final = 10
TOKENS: Final = 24
PACE_S: Final = 0.0002
MEMORY_S: Final = 0.0033


class Spreads(NamedTuple):
    """Standard deviations of the logarithm of one time."""

    shared: float
    """Of a session: all variants have it in common."""

    launch: float
    """Of a variant's launch."""

    case: float
    """Of a case in a launch."""

    within: float
    """Of a round."""


ITL: Final = Spreads(shared=0.0075, launch=0.0046, case=0.003, within=0.01)
TTFT: Final = Spreads(shared=0.010, launch=0.008, case=0.005, within=0.05)
DISTURBED: Final = {"quiet": 0.0, "bursty": 0.4}
"""Share of the rounds that the neighbour disturbs."""


def session(
    chance: np.random.Generator, disturbed: float, *, twins: bool = False
) -> dict[str, object]:
    """Return one session as record.py writes it; rounds are disturbed with that probability."""
    levels = LEVELS | ({twin_of(name): both for name, both in LEVELS.items()} if twins else {})
    itl = {name: level for name, (level, _) in levels.items()}
    ttft = {name: level for name, (_, level) in levels.items()}
    hit = chance.random((PROMPTS, ROUNDS, len(levels))) < disturbed
    gaps, firsts = drawn(chance, itl, ITL), drawn(chance, ttft, TTFT)
    gaps = gaps * np.where(hit, 2.5, 1.0)
    firsts = firsts * np.where(hit, chance.uniform(2, 5, hit.shape), 1.0)
    waited = np.where(hit, chance.uniform(0.6, 0.8, hit.shape), 0.01)
    return {
        "fields": FIELDS,
        "reference": None if twins else REFERENCE,
        "rounds": {
            name: {
                f"words-{prompt + 1}": [
                    [
                        0.0, firsts[at], gaps[at], firsts[at] + TOKENS * gaps[at], waited[at], 0.0,
                        MEMORY_S, PACE_S, PACE_S,
                    ]
                    for at in ((prompt, turn, column) for turn in range(ROUNDS))
                ]
                for prompt in range(PROMPTS)
            }
            for column, name in enumerate(levels)
        },
    }  # fmt: skip


def drawn(
    chance: np.random.Generator, levels: dict[str, float], spreads: Spreads
) -> np.ndarray[tuple[int, int, int], np.dtype[np.float64]]:
    """Return the seconds of every round, shape ``(prompts, rounds, variants)``."""
    shape = PROMPTS, ROUNDS, len(levels)
    logs = (
        np.log(list(levels.values()))
        + chance.normal(0, spreads.shared)
        + chance.normal(0, spreads.launch, shape[2])
        + chance.normal(0, spreads.case, (shape[0], 1, shape[2]))
        + chance.normal(0, spreads.within, shape)
    )
    found: np.ndarray[tuple[int, int, int], np.dtype[np.float64]] = np.exp(logs)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", type=int, default=40, help="of each condition (40)")
    parser.add_argument("--twins", action="store_true", help="each with one, as side by side")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for condition, disturbed in DISTURBED.items():
        chance = np.random.default_rng([asked.seed, *condition.encode()])
        found = (session(chance, disturbed, twins=asked.twins) for _ in range(asked.sessions))
        lines = map(json.dumps, found)
        (asked.folder / f"{condition}.jsonl").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
