"""What a session's judge keeps, how many things it judges, and when rounds are enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from pytest_llmbench.baselines.format import SCHEMA_VERSION
from pytest_llmbench.baselines.session import baseline_session
from pytest_llmbench.config import Config, load_config
from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import CaseRecord, Environment, Readings, VariantRecord
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.engines import engine_options
from pytest_llmbench.runner.judged import PRECISE, Judged, alarms_for
from pytest_llmbench.runner.measurements import Measurements
from pytest_llmbench.runner.plan import suite_cases
from pytest_llmbench.verdict.context import Context
from tests.runner.facts import MACHINE, make_facts, make_round, make_sampled

HERE = Environment(identity={"cpu": "x"}, context={})
TWO = """
[variants.a]
engine = "scripted"
[variants.b]
engine = "scripted"
[suites.exo-five]
"""
NOISE = CATALOGUE["itl_s"].noise


def configured(tmp_path: Path, more: str = "") -> Config:
    path = tmp_path / "llmbench.toml"
    path.write_text(TWO + more)
    return load_config(path, engine_options())


def cases(config: Config, *names: str) -> tuple[Case, ...]:
    return suite_cases(config.suites["exo-five"], names or ("a", "b"))


def record_of(case: Case, *gaps_ms: float) -> CaseRecord:
    measurements, sampled = Measurements(), make_sampled(case)
    sampled.rounds = [make_round(gap, turn=turn) for turn, gap in enumerate(gaps_ms)]
    measurements.take(sampled)
    return measurements.record(case, MACHINE, other=None, quality=True)


def life_of(name: str) -> VariantRecord:
    return VariantRecord(
        id=name, config={}, facts=make_facts(), life_cycle={}, warnings=(), error=None
    )


def kept(*records: CaseRecord) -> Baseline:
    """Three sessions like *records*."""
    lives = [life_of(name) for name in dict.fromkeys(r.case.variant for r in records)]
    session = baseline_session("2026-01-01T00:00:00+00:00", HERE, lives, records)
    return Baseline(
        schema_version=SCHEMA_VERSION, name="main", machine="box", sessions=(session,) * 3
    )


def judged(
    config: Config,
    baseline: Baseline | None = None,
    *,
    comparing: bool = True,
    measured: Sequence[Case] | None = None,
) -> Judged:
    context = Context(
        environment=HERE,
        baseline=baseline,
        cases=tuple(cases(config) if measured is None else measured),
        lives={name: life_of(name) for name in "ab"},
        reference="a",
        readings=lambda: Readings(pace_s=1.0, calibration_s=2.0),
        alarms=alarms_for(config, cases(config), turns=False),
    )
    return Judged(config, context, comparing=comparing)


def test_metrics_that_restate_one_another_are_one_thing_judged(tmp_path: Path) -> None:
    config = configured(tmp_path)
    alarms = alarms_for(config, cases(config), turns=False)
    # decode (itl_s, icl_s) and prefill (ttft_s), of two variants with five prompts each
    assert (alarms.cases, alarms.variants) == (2 * 5 * 2, 2 * 2)
    more = configured(tmp_path, '[tolerance]\ndecode_tps = "5%"\nlatency_s = "5%"\n')
    assert alarms_for(more, cases(more), turns=False) == alarms
    alone = configured(tmp_path, '[variants.a.tolerance]\ntokenize_s = "5%"\n')
    assert alarms_for(alone, cases(alone), turns=False).cases == alarms.cases + 5
    assert alarms_for(alone, cases(alone), turns=False).variants == alarms.variants + 1


def test_a_reference_beside_others_counts_twice(tmp_path: Path) -> None:
    """Its own times accuse it, or the ratios of the others."""
    named = tmp_path / "llmbench.toml"
    named.write_text(f'reference = "a"\n{TWO}')
    config = load_config(named, engine_options())
    alone, beside = (alarms_for(config, cases(config), turns=turns) for turns in (False, True))
    assert (beside.cases, beside.variants) == (alone.cases, alone.variants + 2)


def test_times_of_a_life_that_are_compared_are_things_judged(tmp_path: Path) -> None:
    config = configured(tmp_path)
    more = configured(tmp_path, '[variants.a.tolerance]\nload_s = "20%"\nfree_s = "1 s"\n')
    was, now = (alarms_for(each, cases(each), turns=False) for each in (config, more))
    assert (now.cases, now.variants) == (was.cases, was.variants + 2)


def test_what_is_not_measured_is_not_counted(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert alarms_for(config, cases(config, "a"), turns=False).cases == 5 * 2
    assert alarms_for(config, (), turns=False).cases == 0


@pytest.mark.parametrize(("share", "decided"), [(0.2, True), (5.0, False)])
def test_rounds_that_are_precise_decide(tmp_path: Path, share: float, decided: bool) -> None:
    config = configured(tmp_path)
    apart = share * PRECISE * NOISE * math.sqrt(5)  # cases of the variant
    record = record_of(cases(config)[0], 1.0, 1.0 + apart, 1.0 - apart, 1.0)
    assert judged(config).decides(record) is decided


def test_the_fewer_cases_a_variant_has_the_surer_each_has_to_be(tmp_path: Path) -> None:
    config = configured(tmp_path)
    case = cases(config)[0]
    record = record_of(case, 1.0, *(1 + far * PRECISE * NOISE for far in (3, -3)), 1.0)
    assert judged(config).decides(record)
    assert not judged(config, measured=[case]).decides(record)


@pytest.mark.parametrize("now", [5.0, 0.1])
def test_so_do_rounds_that_leave_no_doubt(tmp_path: Path, now: float) -> None:
    config = configured(tmp_path)
    case = cases(config)[0]
    judge = judged(config, kept(record_of(case, 1.0, 1.0, 1.0)))
    assert judge.decides(record_of(case, *(now * far for far in (0.9, 1.0, 1.1, 1.0))))
    assert not judge.decides(record_of(case, 0.9, 1.0, 1.1, 1.05))


def test_what_is_gated_is_asked_and_nothing_else(tmp_path: Path) -> None:
    """The text is the same in every round: what is not gated may be as noisy as it likes."""
    config = configured(tmp_path)
    sampled, measurements = make_sampled(cases(config)[0]), Measurements()
    sampled.rounds = [
        msgspec.structs.replace(
            entry, trace=msgspec.structs.replace(entry.trace, tokenize_ns=10**turn)
        )
        for turn, entry in enumerate(make_round(turn=turn) for turn in range(4))
    ]
    measurements.take(sampled)
    record = measurements.record(sampled.case, MACHINE, other=None, quality=True)
    assert judged(config).decides(record)
    asked = configured(tmp_path, '[tolerance]\ntokenize_s = "5%"\n')
    assert not judged(asked).decides(record)


def test_new_is_said_where_comparing_was_wanted(tmp_path: Path) -> None:
    config = configured(tmp_path)
    record = record_of(cases(config)[0], 1.0, 1.0, 1.0)
    assert [v.kind for v in judged(config).look(record)] == [VerdictKind.NEW]
    assert judged(config, comparing=False).look(record) == ()


def test_what_is_kept_is_in_the_session(tmp_path: Path) -> None:
    config = configured(tmp_path)
    case = cases(config)[0]
    judge, record = judged(config), record_of(case, 1.0, 1.0, 1.0)
    one, other = (
        Verdict(metric="itl_s", kind=VerdictKind.OK, sentence=said) for said in ("one", "other")
    )
    judge.keep(case.key, (one,))
    judge.keep(case.key, (one, other))
    judge.keep_life("a", (other,))
    session = judge.session([record], [life_of("a")], {"itl_s": 0.01})
    assert session.cases[0].verdicts == (one, other), "the same is said once"
    assert session.variants[0].verdicts == (other,)
    assert (session.reference, session.control) == ("a", {"itl_s": 0.01})
    assert session.readings == Readings(pace_s=1.0, calibration_s=2.0)
    assert session.missing == ()


def test_limits_of_every_scope_hold(tmp_path: Path) -> None:
    limits = '[limits]\nitl_s = "<= 1 us"\n[variants.b.limits]\nitl_s = "<= 1 s"\n'
    config = configured(tmp_path, limits)
    one, other = (record_of(cases(config, name)[0], 1.0, 1.0, 1.0) for name in "ab")
    judge = judged(config, comparing=False)
    assert [v.kind for v in judge.look(one)] == [VerdictKind.REGRESSED]
    assert [v.kind for v in judge.look(other)] == [VerdictKind.OK]
