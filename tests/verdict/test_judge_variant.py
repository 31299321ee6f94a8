"""The judge on a variant: all its cases together, and its life."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.record import Readings
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.units import format_percent
from pytest_llmbench.verdict.alarms import Alarms
from pytest_llmbench.verdict.judge import FEWEST_CASES, judge_case, judge_life, judge_variant

from .facts import (
    kinds,
    make_case,
    make_context,
    make_environment,
    make_facts,
    make_gates,
    make_life,
    make_record,
    make_session,
    only,
    session_like,
)

OK, REGRESSED, NEW = VerdictKind.OK, VerdictKind.REGRESSED, VerdictKind.NEW
INCOMPARABLE, ERROR = VerdictKind.INCOMPARABLE, VerdictKind.ERROR
IMPROVED, INCONCLUSIVE = VerdictKind.IMPROVED, VerdictKind.INCONCLUSIVE

ACCEPTED = format_percent(CATALOGUE["itl_s"].tolerance)
EPYC = make_environment(cpu="EPYC")


def some(count=6, *, variant="base", **metrics):
    """Records of so many cases of *variant*."""
    given = metrics or {"itl_s": 0.03}
    return [make_record(make_case(f"c{n}", variant=variant), **given) for n in range(count)]


def sessions_of(records, factors=(1.0,), **fields):
    return [session_like(records, factor=factor, **fields) for factor in factors]


def judge(records, *sessions, gates=None, **fields):
    return judge_variant("base", make_context(records, *sessions, **fields), gates or Gates())


# --- as a whole --------------------------------------------------------------------------------


def test_identical_sessions_are_ok():
    verdict = only(judge(some(), *sessions_of(some(), (1.0, 1.0, 1.0))))
    assert (verdict.metric, verdict.kind) == ("itl_s", OK)
    assert verdict.sentence == f"over 6 cases itl_s is unchanged (accepted: {ACCEPTED})"
    assert verdict.p > 0.5


def test_a_variant_that_got_slower():
    now = some(itl_s=0.06, ttft_s=0.4)
    verdicts = judge(now, *sessions_of(some(itl_s=0.03, ttft_s=0.4), (0.99, 1.0, 1.01)))
    assert kinds(verdicts) == {"ttft_s": OK, "itl_s": REGRESSED}
    assert verdicts[1].sentence == f"over 6 cases itl_s rose by 100 % (accepted: {ACCEPTED})"
    block = dict(verdicts[1].block)
    assert block["baseline"] == "30 ms (geometric mean over the cases)"
    assert block["now"] == "60 ms (1 launch)"
    assert block["change"] == "+100 % against 3 sessions"
    assert block["changed"] == "nothing recorded"


def test_a_variant_that_got_faster():
    verdict = only(judge(some(itl_s=0.01), *sessions_of(some(), (1.0, 1.0))))
    assert verdict.kind is IMPROVED
    assert verdict.sentence.endswith("--llmbench-replace=main makes it the new baseline")


def test_what_no_case_shows_for_itself_shows_over_all_of_them():
    generator = np.random.default_rng(3)

    def drawn(factor=1.0):
        return [
            make_record(make_case(f"c{n}"), itl_s=0.05 * factor * float(np.exp(step)))
            for n, step in enumerate(0.04 * generator.standard_normal(40))
        ]

    sessions = [session_like(drawn()) for _ in range(6)]
    now = drawn(1.07)
    alarms = Alarms(cases=40, variants=1)
    context = make_context(now, *sessions, alarms=alarms)
    alone = [only(judge_case(record, context, Gates())).kind for record in now]
    assert REGRESSED not in alone
    assert only(judge_variant("base", context, Gates())).kind is REGRESSED


def test_one_slow_case_of_many_does_not_accuse_the_variant():
    slow = [*some(19), make_record(make_case("slow"), itl_s=0.09)]
    calm = [*some(19), make_record(make_case("slow"), itl_s=0.03)]
    context = make_context(slow, *sessions_of(calm, (1.0, 1.01, 0.99)))
    assert only(judge_variant("base", context, Gates())).kind is OK
    assert only(judge_case(slow[-1], context, Gates())).kind is REGRESSED


@pytest.mark.parametrize(("cases", "judged"), [(FEWEST_CASES - 1, 0), (FEWEST_CASES, 1)])
def test_a_variant_needs_so_many_cases(cases, judged):
    assert len(judge(some(cases), *sessions_of(some()))) == judged


def test_only_what_the_gates_ask_for():
    gates = make_gates(latency_s=0.1, output_tokens=0)
    values = {"itl_s": 1.0, "latency_s": 1.0, "tpot_s": 1.0, "rss_peak_bytes": 1.0}
    verdicts = judge(some(**values), *sessions_of(some(**values)), gates=gates)
    assert kinds(verdicts) == {"itl_s": OK, "latency_s": OK}


def test_a_wide_tolerance_is_heeded():
    sessions = sessions_of(some(), (1.0, 1.0, 1.0))
    slower = some(itl_s=0.036)
    assert only(judge(slower, *sessions)).kind is REGRESSED
    assert only(judge(slower, *sessions, gates=make_gates(itl_s=0.25))).kind is OK


def test_more_variants_ask_for_more_evidence():
    sessions, now = sessions_of(some()), some(itl_s=0.037)
    one, many = (only(judge(now, *sessions, alarms=Alarms(variants=n))) for n in (1, 10_000))
    assert (one.kind, many.kind) == (REGRESSED, INCONCLUSIVE)


@pytest.mark.parametrize(
    "fields",
    [{}, {"environment": EPYC}, {"facts": {"base": make_facts(weights="old")}}],
    ids=["no baseline", "another machine", "another model"],
)
def test_nothing_is_said_where_nothing_can_be_compared(fields):
    sessions = sessions_of(some(), **fields) if fields else []
    assert judge(some(itl_s=0.9), *sessions) == ()


def test_cases_that_ask_for_something_else_are_left_out():
    other = [make_record(make_case(f"c{n}", prompt="3?"), itl_s=0.001) for n in range(6)]
    assert judge(some(), *sessions_of(other)) == ()
    assert judge(some(), *sessions_of([*other[:4], *some()[4:]]))[0].sentence.startswith(
        "over 2 cases itl_s is unchanged"
    )


def test_causes_are_told():
    sessions = sessions_of(some(), environment=make_environment(driver="1"))
    verdict = only(judge(some(itl_s=0.09), *sessions, environment=make_environment(driver="2")))
    assert verdict.block[-1] == ("changed", "driver 1 -> 2")


def test_a_slow_machine_is_not_a_slow_variant():
    sessions = sessions_of(some(), readings=Readings(calibration_s=0.1))
    verdict = only(judge(some(itl_s=0.06), *sessions, readings=lambda: Readings(calibration_s=0.2)))
    assert verdict.kind is INCONCLUSIVE
    assert "but the machine itself is slower" in verdict.sentence


def in_turns(ratio, itl_s):
    return [
        make_record(make_case(f"c{n}"), itl_s=itl_s, relative={"itl_s": ratio}, to="ref")
        for n in range(6)
    ]


@pytest.mark.parametrize("environment", [None, EPYC])
@pytest.mark.parametrize(("ratio", "kind"), [(2.0, OK), (4.0, REGRESSED)])
def test_the_ratio_compares_everywhere_and_whatever_the_machine_does(environment, ratio, kind):
    sessions = sessions_of(in_turns(2.0, 0.03), reference="ref", environment=environment)
    lives = {"ref": make_life("ref")}
    verdict = only(judge(in_turns(ratio, 0.2), *sessions, lives=lives))
    assert verdict.kind is kind
    assert "against ref, which took turns with it" in verdict.sentence


# --- its life ----------------------------------------------------------------------------------


def judge_alone(record, *sessions, gates=None, environment=None):
    context = make_context([], *sessions, lives={record.id: record}, environment=environment)
    return judge_life(record, context, gates or Gates())


def test_a_new_variant():
    verdict = only(judge_alone(make_life(load_s=1.0)))
    assert verdict.kind is NEW
    assert verdict.sentence.startswith("variant base has no baseline to be compared with; ")


def test_a_bigger_variant():
    life = {"model_bytes": 100.0, "rss_after_load_bytes": 2.0**30, "load_s": 1.0}
    now = make_life(model_bytes=101.0, rss_after_load_bytes=2.0**31, load_s=9.0)
    verdicts = judge_alone(now, make_session(life=life))
    assert kinds(verdicts) == {"rss_after_load_bytes": REGRESSED, "model_bytes": REGRESSED}


def test_limits_and_tolerances_of_a_variant():
    gates = make_gates(("load_s", "<=", 5.0), ("itl_s", "<=", 1e-9), load_s=0.25, itl_s=0.1)
    verdicts = judge_alone(
        make_life(load_s=9.0), make_session(life={"load_s": 1.0}, itl_s=1.0), gates=gates
    )
    assert [verdict.metric for verdict in verdicts] == ["load_s", "load_s"]
    assert {verdict.kind for verdict in verdicts} == {REGRESSED}


@pytest.mark.parametrize(("free_s", "kind"), [(0.0, OK), (0.05, OK), (9.0, REGRESSED)])
def test_a_life_time_of_zero_is_compared_by_amount(free_s, kind):
    session = make_session(life={"free_s": 0.0})
    verdicts = judge_alone(make_life(free_s=free_s), session, gates=make_gates(free_s=0.25))
    assert kinds(verdicts) == {"free_s": kind}
    back = make_session(life={"free_s": 0.05})
    zero = judge_alone(make_life(free_s=0.0), back, gates=make_gates(free_s=0.25))
    assert kinds(zero) == {"free_s": OK}


def test_informative_metrics_are_never_compared():
    gates = make_gates(system_ram_peak_bytes=0.0)
    session = make_session(life={"system_ram_peak_bytes": 1.0})
    assert judge_alone(make_life(system_ram_peak_bytes=9.0), session, gates=gates) == ()


def test_a_variant_that_used_to_load():
    verdict = only(judge_alone(make_life(error="no file", loaded=False), make_session()))
    assert verdict.kind is ERROR
    assert verdict.sentence == (
        "variant base failed: no file (it used to work: 1 session of the baseline 'main')"
    )


def test_another_model_under_the_same_name():
    life = make_life(facts=make_facts(weights="new"), model_bytes=9.0)
    verdict = only(judge_alone(life, make_session(life={"model_bytes": 1.0})))
    assert (verdict.kind, verdict.block) == (INCOMPARABLE, (("changed", "weights abc -> new"),))


def test_another_machine_leaves_the_size_of_the_model():
    life = {"model_bytes": 1.0, "rss_after_load_bytes": 1.0}
    verdicts = judge_alone(
        make_life(model_bytes=1.0, rss_after_load_bytes=1e12),
        make_session(life=life),
        environment=EPYC,
    )
    assert kinds(verdicts) == {"": INCOMPARABLE, "model_bytes": OK}
