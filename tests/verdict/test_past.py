"""The baseline as grids: which sessions count, for whom, and what others tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from msgspec import structs

from pytest_llmbench.domain.baseline import BaselineCase
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import Readings
from pytest_llmbench.verdict.past import Past, identities, signed_log

from .facts import (
    KEY,
    make_baseline,
    make_case,
    make_environment,
    make_facts,
    make_session,
    session_of,
)

ITL, TPS = CATALOGUE["itl_s"], CATALOGUE["decode_tps"]
KNOWN = {"base": make_facts().identity, "ref": make_facts().identity}
HERE, ELSEWHERE = make_environment(), make_environment(cpu="EPYC")
OLD = make_facts(weights="old")


def make_past(*sessions, cases=None):
    return Past(make_baseline(*sessions), HERE, [make_case()] if cases is None else cases)


def column(grid):
    return np.exp(grid[:, 0]).tolist()


def kept(variant, value=None, launches=1, **relative):
    return BaselineCase(
        launches=launches,
        variant=variant,
        workload={},
        metrics={} if value is None else {"itl_s": value},
        relative=relative,
    )


@pytest.mark.parametrize("past", [Past(None, HERE), Past(make_baseline(), HERE)])
def test_without_a_baseline_there_is_nothing(past):
    assert past.absolute(ITL, "base", (KEY,), KNOWN).shape == (0, 1)
    assert past.relative(ITL, "base", "ref", (KEY,), KNOWN).shape == (0, 1)
    assert past.lives(CATALOGUE["load_s"], "base", KNOWN).shape == (0, 1)
    assert past.others(ITL, "base", to=None) == ()
    assert not past.foreign("base", "ref", KNOWN)
    assert past.readings == ()


def test_this_machine_s_sessions_of_the_same_model_and_work():
    past = make_past(
        make_session(itl_s=0.5),
        make_session(itl_s=9.0, environment=ELSEWHERE),
        make_session(itl_s=9.0, facts=OLD),
        make_session(make_case(prompt="3?"), itl_s=9.0),
        make_session(itl_s=0.7),
    )
    assert column(past.absolute(ITL, "base", (KEY,), KNOWN)) == pytest.approx([0.5, 0.7])


def test_a_session_that_has_none_of_the_cases_is_no_row():
    past = make_past(make_session(ttft_s=1.0), make_session(itl_s=0.5), make_session(itl_s=0.0))
    assert column(past.absolute(ITL, "base", (KEY,), KNOWN)) == pytest.approx([0.5])


def test_what_a_session_lacks_is_no_number():
    past = make_past(make_session(itl_s=0.5))
    grid = past.absolute(ITL, "base", (KEY, "tasks/unheard-of"), KNOWN)
    assert grid.shape == (1, 2)
    assert math.isnan(grid[0, 1])


def test_ratios_are_of_sessions_with_the_same_reference_and_both_models():
    ratio = {"relative": {"itl_s": 1.5}, "reference": "ref"}
    other_reference = session_of(
        {KEY: kept("base", itl_s=9.0)}, reference="base", facts={"ref": make_facts()}
    )
    past = make_past(
        make_session(**ratio),
        make_session(**ratio, environment=ELSEWHERE),
        make_session(**ratio, facts=OLD),
        session_of({KEY: kept("base", itl_s=9.0)}, reference="ref", facts={"ref": OLD}),
        other_reference,
        make_session(itl_s=0.5),
    )
    assert column(past.relative(ITL, "base", "ref", (KEY,), KNOWN)) == pytest.approx([1.5, 1.5])


def test_how_many_launches_a_session_with_ratios_stands_for():
    def session(*launches, **more):
        cases = {f"{KEY}{n}": kept("base", launches=c, itl_s=1.5) for n, c in enumerate(launches)}
        return session_of(cases, facts={"base": make_facts(), "ref": make_facts()}, **more)

    keys = tuple(f"{KEY}{number}" for number in range(3))
    past = make_past(
        session(7, 1, 7, reference="ref"),  # two cases were launched again, on suspicion
        session(3, 3, 3, reference="ref"),
        session(5, 5, 5, reference="base"),
        cases=(),
    )
    assert past.launches(ITL, "base", "ref", keys, KNOWN) == pytest.approx(2 / (1 + 1 / 3))
    assert past.launches(CATALOGUE["ttft_s"], "base", "ref", keys, KNOWN) == 1
    assert past.launches(ITL, "base", "ref", keys[2:], KNOWN) == pytest.approx(2 / (1 / 7 + 1 / 3))
    there = make_past(
        session(3, reference="ref"), session(3, reference="ref", environment=ELSEWHERE)
    )
    assert there.launches(ITL, "base", "ref", keys[:1], KNOWN) == 1, "machines differ all along"


def test_launches_are_those_of_what_is_compared_with():
    def session(launches, *, workload):
        case = structs.replace(kept("base", launches=launches, itl_s=1.5), workload=workload)
        return session_of({KEY: case}, reference="ref", facts={"base": make_facts()})

    asked = make_case().workload
    sessions = [session(1, workload={"prompt": "old"}), session(4, workload=asked)]
    past = make_past(*sessions)
    assert past.launches(ITL, "base", "ref", (KEY,), KNOWN) == 4


def test_other_variants_ratios_are_as_far_apart_as_launches():
    def spread(launches):
        sessions = [
            session_of(
                {KEY: kept("base", launches=launches, itl_s=value)},
                reference="ref",
                facts={"base": make_facts(), "ref": make_facts()},
            )
            for value in (1.5, 1.6, 1.7)
        ]
        (found,) = make_past(*sessions, cases=()).others(ITL, "another", to="ref")
        return found

    assert spread(3).variance == pytest.approx(3 * spread(1).variance)
    assert spread(3).freedom == spread(1).freedom == 2


def test_a_variant_that_is_not_loaded_has_no_past():
    past = make_past(make_session(itl_s=0.5))
    assert past.absolute(ITL, "base", (KEY,), {}).shape == (0, 1)
    assert past.absolute(ITL, "base", (KEY,), KNOWN).shape == (1, 1)


def test_what_others_ask_of_a_variant_s_old_model_is_not_its_past():
    sessions = [session_of({KEY: kept("base", v)}, facts={"base": OLD}) for v in (0.5, 0.6)]
    past = make_past(*sessions, cases=())
    assert past.others(ITL, "another", to=None)
    assert past.absolute(ITL, "base", (KEY,), KNOWN).shape == (0, 1)


def test_lives_are_of_this_machine_and_model():
    load = CATALOGUE["load_s"]
    past = make_past(
        make_session(life={"load_s": 2.0}),
        make_session(life={"load_s": 9.0}, environment=ELSEWHERE),
        make_session(life={"load_s": 9.0}, facts=OLD),
        make_session(life={}),
    )
    assert column(past.lives(load, "base", KNOWN)) == pytest.approx([2.0])


@pytest.mark.parametrize(
    ("places", "foreign"),
    [([HERE], False), ([HERE, ELSEWHERE], False), ([ELSEWHERE], True), ([ELSEWHERE] * 2, True)],
)
def test_foreign_is_where_no_session_is_this_machine_s(places, foreign):
    ratio = {"relative": {"itl_s": 1.5}, "reference": "ref"}
    sessions = [make_session(environment=place, **ratio) for place in places]
    assert make_past(*sessions).foreign("base", "ref", KNOWN) is foreign
    without = make_session(itl_s=0.5)  # here, but nobody took turns in it
    assert make_past(*sessions, without).foreign("base", "ref", KNOWN) is foreign


def test_readings_are_this_machine_s():
    mine, theirs = Readings(pace_s=1.0), Readings(pace_s=9.0)
    past = make_past(
        make_session(readings=mine), make_session(readings=theirs, environment=ELSEWHERE)
    )
    assert past.readings == (mine,)


# --- what other variants show ------------------------------------------------------------------


def both(value, *, environment=None, **relative):
    cases = {KEY: kept("base", value, **relative), "tasks/ref": kept("ref", value)}
    return session_of(cases, environment=environment, reference="ref")


def test_the_spread_of_every_other_variant():
    past = make_past(both(1.0), both(1.1), cases=())
    (spread,) = past.others(ITL, "base", to=None)
    assert spread.variance == pytest.approx(np.var(np.log([1.0, 1.1]), ddof=1))
    assert spread.freedom == 1


def test_in_relative_terms_the_reference_has_none():
    past = make_past(both(1.0, itl_s=1.5), both(1.1, itl_s=1.6), cases=())
    assert past.others(ITL, "base", to="ref") == ()
    (spread,) = past.others(ITL, "ref", to="ref")
    assert spread.variance == pytest.approx(np.var(np.log([1.5, 1.6]), ddof=1))


def test_one_session_tells_nothing_of_others():
    assert make_past(both(1.0), cases=()).others(ITL, "base", to=None) == ()


def test_another_machine_tells_nothing_of_times_here():
    past = make_past(*[both(v, environment=ELSEWHERE) for v in (1.0, 1.1)], cases=())
    assert past.others(ITL, "base", to=None) == ()


# --- logarithms --------------------------------------------------------------------------------


def test_more_is_worse_in_either_direction():
    assert signed_log(2.0, ITL) == pytest.approx(math.log(2))
    assert signed_log(2.0, TPS) == pytest.approx(-math.log(2))


@pytest.mark.parametrize("value", [None, 0.0, -1.0, math.nan, math.inf])
def test_what_has_no_logarithm(value):
    assert math.isnan(signed_log(value, ITL))


def test_models_that_did_not_load_have_no_identity():
    assert identities([("a", make_facts()), ("b", None)]) == {"a": make_facts().identity}
