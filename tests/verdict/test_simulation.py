"""The claims of the first judge, simulated: how often it errs and what it finds.

Sessions of unchanged code vary by a normal 2 % (TTFT: 3 %), the documented noise. The seed is
fixed, so that the counts are the same everywhere.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pytest_llmbench.domain.metric import CATALOGUE
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.compare import compare

TRIALS = 4000


def rates(name, sessions, factor, *, noise=None, seed=7):
    """Return the share of each verdict when the code is *factor* times slower."""
    metric = CATALOGUE[name]
    generator = np.random.default_rng(seed)
    sd = metric.noise if noise is None else noise
    values = 0.2 * (1 + sd * generator.standard_normal((TRIALS, sessions + 1)))
    slower = factor if metric.better == "lower" else 1 / factor
    kinds = (compare(metric, row[-1] * slower, row[:-1].tolist(), None).kind for row in values)
    return {kind: count / TRIALS for kind, count in Counter(kinds).items()}


@pytest.mark.parametrize("sessions", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("name", ["itl_s", "decode_tps"])
def test_unchanged_code_is_ok(name, sessions):
    found = rates(name, sessions, 1.0)
    assert found[VerdictKind.OK] > 0.99
    assert found.get(VerdictKind.REGRESSED, 0) == 0


@pytest.mark.parametrize("sessions", [1, 2, 3, 5, 10])
@pytest.mark.parametrize(("name", "found"), [("itl_s", 0.99), ("ttft_s", 0.97)])
def test_thirty_percent_slower_is_regressed(name, found, sessions):
    assert rates(name, sessions, 1.3)[VerdictKind.REGRESSED] > found


@pytest.mark.parametrize("sessions", [3, 5, 10])
def test_unchanged_time_to_first_token_is_ok(sessions):
    found = rates("ttft_s", sessions, 1.0)
    assert found[VerdictKind.OK] > 0.99
    assert found.get(VerdictKind.REGRESSED, 0) == 0


def test_one_session_of_time_to_first_token_cries_no_wolf():
    found = rates("ttft_s", 1, 1.0)
    assert found[VerdictKind.OK] > 0.98
    assert found.get(VerdictKind.REGRESSED, 0) == 0


@pytest.mark.parametrize("sessions", [5, 10])
def test_twenty_percent_slower_is_regressed_with_five_sessions(sessions):
    assert rates("itl_s", sessions, 1.2)[VerdictKind.REGRESSED] > 0.95


def test_what_lies_between_is_mostly_inconclusive_and_never_missed_silently():
    found = rates("itl_s", 5, 1.15)
    assert found.get(VerdictKind.OK, 0) < 0.05
    assert found[VerdictKind.INCONCLUSIVE] > 0.3


def test_five_times_the_noise_makes_it_inconclusive_rather_than_red():
    found = rates("itl_s", 5, 1.0, noise=0.10)
    assert found.get(VerdictKind.REGRESSED, 0) < 0.05
    assert found.get(VerdictKind.INCONCLUSIVE, 0) > 0.1
