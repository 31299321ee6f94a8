"""Made-up launches: what is certain about them is what the tests ask for."""

from __future__ import annotations

from itertools import count

import numpy as np
from sessions import Recorded, Session, session_of, twin_of

FIELDS = ("at_s", "ttft_s", "itl_s", "latency_s", "run_delay_share", "steal_share")
VARIANTS = ("large", "small")
PROMPTS = ("short", "long")


def launch(*, seed: int, rounds: int = 8, noise: float = 0.0, twins: bool = False) -> Session:
    """One session of two variants and two prompts; times scatter by *noise* as a share."""
    chance = np.random.default_rng(seed)
    names = (*VARIANTS, *(twin_of(variant) for variant in VARIANTS if twins))
    return session_of(
        Recorded(
            fields=FIELDS,
            reference=None if twins else VARIANTS[0],
            rounds={
                variant: {
                    prompt: tuple(
                        _round(at, typical, chance, noise) for at, _ in zip(count(), range(rounds))
                    )
                    for prompt, typical in zip(PROMPTS, (0.1, 0.4), strict=True)
                }
                for variant in names
            },
        )
    )


def _round(at: int, typical: float, chance: np.random.Generator, noise: float) -> tuple[float, ...]:
    ttft, itl = typical * (1 + noise * chance.standard_normal(2))
    return float(at), float(ttft), float(itl), float(ttft + 9 * itl), 0.01, 0.0
