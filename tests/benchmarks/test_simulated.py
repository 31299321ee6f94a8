"""Sessions of a machine as steady as one is told have the spreads that they are told."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest
from sessions import Recorded, session_of
from simulated import DISTURBED, ITL, LEVELS, PROMPTS, ROUNDS, session

from pytest_llmbench.metrics.taint import ACCEPTED_RUN_DELAY


def sessions(condition: str, count: int, *, twins: bool = False):
    chance = np.random.default_rng(3)
    made = (session(chance, DISTURBED[condition], twins=twins) for _ in range(count))
    return [session_of(msgspec.json.decode(json.dumps(one), type=Recorded)) for one in made]


def logs(one, field: str):
    """Shape ``(variants, prompts, rounds)``."""
    prompts = [f"words-{number + 1}" for number in range(PROMPTS)]
    return np.log([[one.figures[name, prompt, field] for prompt in prompts] for name in LEVELS])


def test_launches_and_ratios_are_as_far_apart_as_told() -> None:
    levels = np.array([logs(one, "itl_s").mean(axis=(1, 2)) for one in sessions("quiet", 300)])
    own = np.hypot(ITL.launch, ITL.case / np.sqrt(PROMPTS))
    assert levels.std(axis=0) == pytest.approx(np.hypot(ITL.shared, own), rel=0.15)
    ratio = levels[:, 0] - levels[:, 1]
    assert ratio.std() == pytest.approx(own * np.sqrt(2), rel=0.15)
    assert ratio.std() == pytest.approx(0.0065, rel=0.15), "as measured on twins in turns"


def test_twins_are_as_far_apart_as_variants() -> None:
    made = sessions("quiet", 300, twins=True)
    assert made[0].other_side.cells == made[0].cells
    both = [(logs(one, "itl_s"), logs(one.other_side, "itl_s")) for one in made]
    ratios = np.array([(mine - its).mean(axis=(1, 2)) for mine, its in both])
    assert ratios.std(axis=0) == pytest.approx(0.0065, rel=0.15)
    assert ratios.mean(axis=0) == pytest.approx(0, abs=0.0015)


def test_the_neighbour_disturbs_its_share_and_can_be_noticed() -> None:
    one = sessions("bursty", 1)[0]
    waited = np.exp(logs(one, "run_delay_share"))
    busy = waited > ACCEPTED_RUN_DELAY
    assert busy.shape == (len(LEVELS), PROMPTS, ROUNDS)
    assert busy.mean() == pytest.approx(DISTURBED["bursty"], abs=0.1)
    gaps = logs(one, "itl_s") - np.log([level for level, _ in LEVELS.values()])[:, None, None]
    assert np.median(gaps[busy]) == pytest.approx(np.log(2.5), abs=0.05)
    assert np.median(gaps[~busy]) == pytest.approx(0, abs=0.05)
    assert not (np.exp(logs(sessions("quiet", 1)[0], "run_delay_share")) > ACCEPTED_RUN_DELAY).any()
