"""The judge's promises, simulated: how often it errs, and what it finds.

Every launch shifts all cases of a variant together, by a normal amount; every case adds its own,
half as much. The seeds are fixed, so that the counts are the same everywhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.alarms import SESSION, SUSPICIOUS, Alarms
from pytest_llmbench.verdict.evidence import log_bound
from pytest_llmbench.verdict.held import RATIO_NOISE
from pytest_llmbench.verdict.noise import split
from pytest_llmbench.verdict.noisy import compare_noisy
from pytest_llmbench.verdict.panel import Panel
from tests.verdict.facts import make_held

ITL = CATALOGUE["itl_s"]
BOUND = log_bound(ITL.tolerance, better=ITL.better)
VARIANTS, CASES = 4, 8
ALARMS = Alarms(cases=VARIANTS * CASES, variants=VARIANTS)
KEYS = tuple(map(str, range(CASES)))
TRIALS = 250


def simulated(generator, *, sessions, launches=1, noise=ITL.noise, assumed=ITL.noise, slower=()):
    """One session: a panel a variant; *slower* are worsenings of the first ones."""

    def drawn(rows):
        shared = noise * generator.standard_normal((rows, 1))
        return shared + noise / 2 * generator.standard_normal((rows, CASES))

    pasts = [drawn(sessions) for _ in range(VARIANTS)]
    spreads = [split(past).shared for past in pasts]
    worse = [*slower, *[0.0] * (VARIANTS - len(slower))]
    return [
        Panel(
            keys=KEYS,
            now=drawn(launches) + worse[number],
            past=past,
            errors=np.zeros(CASES),
            assumed=assumed,
            others=tuple(s for n, s in enumerate(spreads) if n != number and s.freedom),
        )
        for number, past in enumerate(pasts)
    ]


def judged(evidence, alpha):
    held = make_held(evidence)
    share = ITL.tolerance
    return compare_noisy(ITL, held, 0.2, share=share, amount=0.0, alpha=alpha)


def verdicts(panel):
    """What is said of the variant as a whole, then of each case."""
    whole = judged(panel.of_all(), ALARMS.of_variant).kind
    return [whole, *(judged(panel.of_case(key), ALARMS.of_case).kind for key in KEYS)]


def at_most(rate, count):
    """So often, or seldomer, something that has *rate* happens in 999 of 1000 simulations."""
    return int(binom.ppf(0.999, count, rate))


@pytest.mark.parametrize(
    ("sessions", "restless"), [(1, 1), (5, 1), (1, 2), (5, 2), (5, 3), (10, 3), (10, 5)]
)
def test_a_session_of_unchanged_code_seldom_cries_wolf(sessions, restless):
    """Also on machines that are more restless than is assumed, once sessions show it."""
    generator = np.random.default_rng(11)
    alarmed = 0
    for _ in range(TRIALS):
        panels = simulated(generator, sessions=sessions, noise=restless * ITL.noise)
        said = [kind for panel in panels for kind in verdicts(panel)]
        alarmed += VerdictKind.REGRESSED in said
    assert alarmed <= at_most(SESSION, TRIALS)


@pytest.mark.parametrize("sessions", [1, 5])
def test_unchanged_code_is_mostly_ok(sessions):
    generator = np.random.default_rng(12)
    said = [
        kind
        for _ in range(60)
        for panel in simulated(generator, sessions=sessions)
        for kind in verdicts(panel)
    ]
    assert said.count(VerdictKind.OK) > (1 - SUSPICIOUS) * len(said)


def test_sessions_of_several_launches_do_not_make_one_launch_look_surer():
    """Six launches in each of the baseline's, one now; more restless than ratios are assumed."""
    generator = np.random.default_rng(16)
    noise, suspected = 5 * RATIO_NOISE, {1.0: 0, 6.0: 0}
    for _ in range(TRIALS):
        launches = simulated(generator, sessions=30, noise=noise, assumed=RATIO_NOISE)[0]
        sessions = launches.past.reshape(5, 6, CASES).mean(axis=1)
        for before in suspected:
            panel = replace(launches, past=sessions, others=(), launches_before=before)
            suspected[before] += panel.of_all().p_worse(0.0) <= SUSPICIOUS
    assert suspected[6.0] <= at_most(1.5 * SUSPICIOUS, TRIALS) < suspected[1.0]


def evidence_on(panel, key):
    return panel.of_case(key) if key else panel.of_all()


@pytest.mark.parametrize("key", [None, "0"])
@pytest.mark.parametrize(("sessions", "launches"), [(1, 1), (5, 1), (5, 4)])
def test_what_is_called_detectable_is_found_half_of_the_time_and_a_margin_more_always(
    key, sessions, launches
):
    generator = np.random.default_rng(13)
    alpha = ALARMS.of_case if key else ALARMS.of_variant
    found = always = 0
    for _ in range(TRIALS):
        panel = simulated(generator, sessions=sessions, launches=launches)[0]
        margin = evidence_on(panel, key).margin(alpha)
        just, surely = (replace(panel, now=panel.now + BOUND + times * margin) for times in (1, 2))
        found += judged(evidence_on(just, key), alpha).kind is VerdictKind.REGRESSED
        always += judged(evidence_on(surely, key), alpha).kind is VerdictKind.REGRESSED
    assert at_most(0.5, TRIALS) >= found >= TRIALS - at_most(0.5, TRIALS)
    assert always >= TRIALS - 1 - at_most(2 * alpha, TRIALS)


@pytest.mark.parametrize("noise", [RATIO_NOISE / 2, RATIO_NOISE])
def test_a_tenth_slower_is_found_in_its_variant_and_nowhere_else(noise):
    """Against the reference, five sessions in the baseline, three more launches to confirm."""
    generator = np.random.default_rng(14)
    found = wrong = 0
    for _ in range(TRIALS):
        panels = simulated(
            generator, sessions=5, launches=4, noise=noise, assumed=RATIO_NOISE, slower=(0.1,)
        )
        slow, *others = ([*verdicts(panel)] for panel in panels)
        found += slow[0] is VerdictKind.REGRESSED
        wrong += any(VerdictKind.REGRESSED in said for said in others)
    assert found >= 0.99 * TRIALS
    assert wrong <= at_most(SESSION, TRIALS)


@pytest.mark.parametrize("sessions", [2, 5, 10])
def test_more_sessions_find_less(sessions):
    """What is detectable shrinks from one session to many, on average."""
    generator = np.random.default_rng(15)

    def typical(count):
        margins = [
            simulated(generator, sessions=count)[0].of_all().margin(ALARMS.of_variant)
            for _ in range(60)
        ]
        return float(np.mean(margins))

    assert typical(sessions) < typical(1)
