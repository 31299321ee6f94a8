"""On which ground a metric is judged: its past, its ratio to the reference, or side by side."""

from __future__ import annotations

import math

import numpy as np
import pytest
from msgspec import structs

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.verdict.held import (
    FOREIGN_NOISE,
    MOST_JITTER,
    RATIO_NOISE,
    assumed_noise,
    held_alone,
)
from pytest_llmbench.verdict.noise import ASSUMED_FREEDOM

from .facts import (
    KEY,
    make_case,
    make_context,
    make_environment,
    make_facts,
    make_life,
    make_record,
    make_round,
    make_session,
    session_like,
)

ITL, TPS = CATALOGUE["itl_s"], CATALOGUE["decode_tps"]
ELSEWHERE = make_environment(cpu="EPYC")


def held(record, *sessions, metric=ITL, **fields):
    models = {"lives": {"ref": make_life("ref")}} if record.relative else {}
    context = make_context([record], *sessions, **models, **fields)
    return context.grounds(metric, "base", record).of_case(record.case.key)


def measured(itl_s, ratio):
    return make_record(itl_s=itl_s, relative={"itl_s": ratio}, to="ref")


def kept(itl_s, ratio, **fields):
    return make_session(itl_s=itl_s, relative={"itl_s": ratio}, reference="ref", **fields)


# --- which ground ------------------------------------------------------------------------------


def test_without_a_reference_its_own_past():
    found = held(make_record(itl_s=0.06), make_session(itl_s=0.03))
    assert (found.ground, found.to, found.sessions, found.launches) == ("absolute", None, 1, 1)
    assert found.evidence.change == pytest.approx(math.log(2))


def test_of_a_baseline_with_one_session_the_ratio():
    found = held(measured(0.06, 3.0), kept(0.03, 2.0))
    assert (found.ground, found.to, found.sessions) == ("ratio", "ref", 1)
    assert found.evidence.change == pytest.approx(math.log(1.5))
    assert found.evidence.error == pytest.approx(RATIO_NOISE * math.sqrt(2))


RESTLESS, STEADY = (1.0, 1.5, 0.7, 1.2, 0.8), (1.0, 1.001, 1.0, 0.999, 1.0)


@pytest.mark.parametrize(
    ("times", "ratios", "ground"), [(RESTLESS, STEADY, "ratio"), (STEADY, RESTLESS, "absolute")]
)
def test_the_steadier_decides(times, ratios, ground):
    sessions = [kept(0.03 * t, 2.0 * r) for t, r in zip(times, ratios, strict=True)]
    assert held(measured(0.03, 2.0), *sessions).ground == ground


def test_a_baseline_from_before_the_reference_has_times_alone():
    assert held(measured(0.03, 2.0), make_session(itl_s=0.03)).ground == "absolute"


def test_a_session_without_its_reference_has_times_alone():
    assert held(make_record(itl_s=0.03), kept(0.03, 2.0)).ground == "absolute"


def test_another_machine_leaves_the_ratio_and_less_is_known_of_it():
    found = held(measured(0.03, 2.0), kept(9.0, 2.0, environment=ELSEWHERE))
    assert found.ground == "ratio"
    expected = math.hypot(RATIO_NOISE, FOREIGN_NOISE) * math.sqrt(2)
    assert found.evidence.error == pytest.approx(expected)


def kept_of(launches, record):
    session = make_session(itl_s=0.03, relative=record, reference="ref" if record else None)
    cases = {key: structs.replace(c, launches=launches) for key, c in session.cases.items()}
    return structs.replace(session, cases=cases)


@pytest.mark.parametrize("launches", [1, 4])
def test_a_ratio_of_several_launches_is_surer(launches):
    ratio = held(measured(0.03, 2.0), kept_of(launches, {"itl_s": 2.0}))
    assert ratio.ground == "ratio"
    assert ratio.evidence.error == pytest.approx(RATIO_NOISE * math.sqrt(1 + 1 / launches))
    own = [held(make_record(itl_s=0.03), kept_of(n, {})) for n in (1, launches)]
    assert own[0].evidence == own[1].evidence, "a slow hour is the same for all of them"


def test_what_another_machine_s_launches_share_does_not_average_out():
    there = [
        structs.replace(kept_of(launches, {"itl_s": 2.0}), environment=ELSEWHERE)
        for launches in (1, 4)
    ]
    one, four = (held(measured(0.03, 2.0), session) for session in there)
    assert one.evidence == four.evidence


@pytest.mark.parametrize("launches", [1, 9])
@pytest.mark.parametrize("restless", [RESTLESS, STEADY])
def test_the_number_of_launches_does_not_say_which_ground_decides(launches, restless):
    sessions = [kept(0.03 * t, 2.0 * t**0.8) for t in restless]
    sessions = [
        structs.replace(
            s, cases={key: structs.replace(c, launches=launches) for key, c in s.cases.items()}
        )
        for s in sessions
    ]
    assert held(measured(0.03, 2.0), *sessions).ground == "ratio"


def test_another_machine_without_a_ratio_leaves_nothing():
    assert held(make_record(itl_s=0.03), make_session(itl_s=0.03, environment=ELSEWHERE)) is None


def test_nothing_to_compare_with():
    assert held(make_record(itl_s=0.03)) is None
    assert held(make_record(itl_s=0.03), make_session(ttft_s=0.03)) is None
    assert held(make_record(ttft_s=0.03), make_session(itl_s=0.03)) is None
    assert held(make_record(itl_s=0.0), make_session(itl_s=0.03)) is None
    other_model = make_session(itl_s=0.03, facts=make_facts(weights="old"))
    assert held(make_record(itl_s=0.03), other_model) is None


def test_a_time_of_zero_has_no_ratio():
    assert held(measured(0.0, 2.0), kept(0.03, 2.0)) is None


@pytest.mark.parametrize("factor", [0.25, 1.7, 8.0])
def test_the_ratio_does_not_see_what_slows_the_whole_machine(factor):
    calm = held(measured(0.03, 2.0), kept(0.03, 2.0))
    slow = held(measured(0.03 * factor, 2.0), kept(0.03, 2.0))
    assert slow == calm
    assert calm.evidence.change == 0.0


def test_where_higher_is_better_the_ratio_is_turned():
    record = make_record(decode_tps=10.0, relative={"decode_tps": 0.5}, to="ref")
    session = make_session(decode_tps=20.0, relative={"decode_tps": 1.0}, reference="ref")
    found = held(record, session, metric=TPS)
    assert (found.ground, found.evidence.change) == ("ratio", pytest.approx(math.log(2)))


# --- launches ----------------------------------------------------------------------------------


def test_launches_count_one_by_one():
    found = held(make_record(itl_s=(0.03, 0.06, 0.06)), make_session(itl_s=0.03))
    assert found.launches == 3
    assert found.evidence.change == pytest.approx(math.log(4) / 3)


def test_launches_of_one_case_are_told_from_those_of_all():
    one, other = make_case("one"), make_case("other")
    again = make_record(one, itl_s=(0.03, 0.03))
    records = [again, make_record(other, itl_s=0.06)]
    context = make_context(records, session_like(records))
    whole = context.grounds(ITL, "base").of_variant()
    assert (whole.launches, whole.cases, whole.sessions) == (2, 2, 1)


def test_a_launch_without_a_counterpart_has_no_ratio():
    rounds = [make_round(launch=launch) for launch in (0, 0, 1)]
    record = make_record(rounds=rounds, itl_s=(0.03, 0.04), relative={"itl_s": 2.0}, to="ref")
    assert held(record, kept(0.03, 2.0)).launches == 1


# --- others of the session ---------------------------------------------------------------------


def whole(records, session_, **fields):
    return make_context(records, session_, **fields).grounds(ITL, "base").of_variant()


def three(**last):
    names = ("one", "two", "three")
    records = [make_record(make_case(name), itl_s=0.03) for name in names[:2]]
    return [*records, make_record(make_case("three"), **{"itl_s": 0.03, **last})]


def test_cases_that_failed_or_were_disturbed_say_nothing_of_the_others():
    session = session_like(three())
    busy = [make_round(run_delay_s=0.7)]
    assert whole(three(), session).cases == 3
    assert whole(three(error="boom"), session).cases == 2
    assert whole(three(rounds=busy), session).cases == 2


def test_cases_that_are_not_measured_yet_are_not_there():
    records = three()
    context = make_context(records[:1], session_like(records), cases=[r.case for r in records])
    assert context.grounds(ITL, "base").of_variant().cases == 1


def test_a_case_that_nobody_collected_is_judged_too():
    record = make_record(itl_s=0.03)
    context = make_context([], make_session(itl_s=0.03), cases=())
    assert context.grounds(ITL, "base", record).of_case(KEY).evidence.change == 0.0


# --- side by side ------------------------------------------------------------------------------


def test_side_by_side_the_baseline_is_not_asked():
    record = make_record(itl_s=0.06, relative={"itl_s": (1.2, 1.2)}, to="base@old")
    context = make_context([record], make_session(itl_s=9.0), twins={"base": "base@old"})
    found = context.grounds(ITL, "base", record).of_case(KEY)
    assert (found.ground, found.to, found.sessions) == ("side by side", "base@old", 0)
    assert found.evidence.change == pytest.approx(math.log(1.2))


def test_side_by_side_without_a_counterpart_there_is_nothing():
    record = make_record(itl_s=0.06)
    context = make_context([record], make_session(itl_s=0.06), twins={"base": "base@old"})
    assert context.grounds(ITL, "base", record).of_case(KEY) is None
    assert context.grounds(ITL, "base", record).of_variant() is None


# --- what is assumed ---------------------------------------------------------------------------


@pytest.mark.parametrize("sessions", [0, 1, 2, 10])
def test_jitter_gives_way_to_what_sessions_show(sessions):
    share = ITL.jitter / 0.02 / max(1, sessions)
    assert assumed_noise(ITL, 0.02, sessions) == pytest.approx(math.hypot(ITL.noise, share))


def test_jitter_is_no_more_than_so_much():
    assert assumed_noise(ITL, 1e-9, 1) == pytest.approx(math.hypot(ITL.noise, MOST_JITTER))


def test_rates_have_no_jitter():
    assert assumed_noise(TPS, 1e-9, 1) == TPS.noise


def test_a_case_that_took_no_time_says_nothing_of_the_others_jitter():
    records = [make_record(make_case(n), itl_s=v) for n, v in (("a", 0.02), ("b", 0.0))]
    context = make_context(records, session_like([records[0]]))
    found = context.grounds(ITL, "base").of_case(records[0].case.key)
    assert found.evidence.error == pytest.approx(assumed_noise(ITL, 0.02, 1) * math.sqrt(2))


def test_a_single_number_against_its_past():
    load = CATALOGUE["load_s"]
    found = held_alone(load, 4.0, np.log(np.array([[2.0]])))
    assert found.evidence.change == pytest.approx(math.log(2))
    assert found.evidence.error == pytest.approx(load.noise * math.sqrt(2))
    assert found.evidence.freedom == pytest.approx(ASSUMED_FREEDOM)
    assert (found.ground, found.sessions, found.launches, found.cases) == ("absolute", 1, 1, 1)


def test_a_single_number_without_a_logarithm():
    assert held_alone(CATALOGUE["free_s"], 0.0, np.zeros((1, 1))) is None
