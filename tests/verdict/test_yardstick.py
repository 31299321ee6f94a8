"""A ratio changed: the variant did, or the reference that it is a multiple of."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.record import Readings
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.verdict.alarms import SUSPICIOUS, Alarms
from pytest_llmbench.verdict.evidence import Evidence
from pytest_llmbench.verdict.judge import judge_case, judge_variant
from pytest_llmbench.verdict.yardstick import (
    companion,
    has_moved,
    held_of_case,
    held_of_variant,
    stayed,
)
from tests.verdict.facts import make_held

from .facts import make_case, make_context, make_facts, make_life, make_record, session_like

ITL = CATALOGUE["itl_s"]
OK, REGRESSED, IMPROVED = VerdictKind.OK, VerdictKind.REGRESSED, VerdictKind.IMPROVED
INCONCLUSIVE = VerdictKind.INCONCLUSIVE
LEVELS = {"ref": 0.03, "base": 0.02, "other": 0.05}
PROMPTS = tuple("abcdef")


def records_of(chance, names, *, machine=0.0, apart=0.01, slower=(), prompts=None):
    """One launch of every variant: what the machine shares, and each variant's luck, in shares.

    *slower* are factors by variant, or by variant and prompt; *prompts* those of a variant, where
    it hasn't all.
    """
    shared = machine * chance.standard_normal()
    factors = dict(slower)
    luck = {
        name: np.exp(shared + apart / 2 * chance.standard_normal()) * factors.get(name, 1.0)
        for name in names
    }
    own = {
        key: np.exp(0.002 * chance.standard_normal()) * factors.get(key, 1.0)
        for key in itertools.product(names, PROMPTS)
    }

    def itl(name, prompt):
        return float(LEVELS[name] * luck[name] * own[name, prompt])

    return [
        make_record(
            make_case(prompt, variant=name),
            itl_s=itl(name, prompt),
            relative=None if name == "ref" else {"itl_s": itl(name, prompt) / itl("ref", prompt)},
            to="ref",
        )
        for name, prompt in itertools.product(names, PROMPTS)
        if prompt in (prompts or {}).get(name, PROMPTS)
    ]


def session(names, *, seed=0, machine=0.01, faster=1.0, reads=1.0, prompts=None, slower=(), **more):
    """A session with five before it; *slower* and *more* are factors by variant.

    The machine is *faster*, so many times, than it ever was in those before, but for *machine*;
    its own workload takes *reads* times as long.
    """
    chance = np.random.default_rng(seed)
    before = [records_of(chance, names, machine=machine, prompts=prompts) for _ in range(5)]
    factors = dict.fromkeys(names, 1.0) | dict(slower) | more
    factors |= {name: factors[name] / faster for name in names}
    now = records_of(chance, names, machine=machine, prompts=prompts, slower=factors.items())
    usual = Readings(calibration_s=0.01)
    sessions = [session_like(records, reference="ref", readings=usual) for records in before]
    return make_context(
        now,
        *sessions,
        reference="ref",
        alarms=Alarms(cases=len(now), variants=len(names) + 1),
        readings=lambda: Readings(calibration_s=0.01 * reads),
    )


def evidence(change, error):
    return Evidence(change=change, error=error, freedom=10.0)


def verdicts(context):
    """What is said of every variant as a whole."""
    names = dict.fromkeys(case.variant for case in context.cases)
    return {name: judge_variant(name, context, Gates())[0] for name in names}


def kinds(context):
    return {name: verdict.kind for name, verdict in verdicts(context).items()}


TWO, THREE = ("ref", "base"), ("ref", "base", "other")


@pytest.mark.parametrize("names", [TWO, THREE])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("factor", "kind"), [(0.85, IMPROVED), (1.15, REGRESSED)])
def test_a_reference_that_changed_is_found_and_nobody_else(names, seed, factor, kind):
    found = kinds(session(names, seed=seed, ref=factor))
    assert found.pop("ref") is kind
    assert set(found.values()) == {OK}


@pytest.mark.parametrize("names", [TWO, THREE])
@pytest.mark.parametrize("seed", range(5))
def test_a_variant_that_became_slower_is_the_only_one(names, seed):
    found = kinds(session(names, seed=seed, base=1.15))
    assert found.pop("base") is REGRESSED
    assert set(found.values()) == {OK}


@pytest.mark.parametrize("seed", range(5))
def test_so_it_is_on_a_restless_machine(seed):
    found = kinds(session(THREE, seed=seed, machine=0.2, base=1.15))
    assert (found["base"], found["other"]) == (REGRESSED, OK)
    assert found["ref"] is not REGRESSED, "its own times can't tell"


def test_what_fails_by_a_ratio_says_what_both_did_alone():
    context = session(TWO, seed=1, machine=0.02, faster=0.9, base=1.2)
    mine, reference = held_of_variant(ITL, "base", context).alone
    assert mine.change == pytest.approx(np.log(1.2 / 0.9), abs=0.06)
    assert mine.change - reference.change == pytest.approx(np.log(1.2), abs=0.02)
    case = next(r for r in context.records.values() if r.case.variant == "base")
    mine, reference = held_of_case(ITL, case, context).alone
    assert mine.change - reference.change == pytest.approx(np.log(1.2), abs=0.02)
    assert held_of_variant(ITL, "base", session(TWO, seed=1)).alone is None, "nothing changed"


def test_a_reference_that_fails_by_its_companion_s_ratio_says_so_too():
    context = session(TWO, seed=1, ref=1.15)
    held = held_of_variant(ITL, "ref", context)
    mine, other = held.alone
    assert held.to == "base"
    assert mine.change == pytest.approx(np.log(1.15), abs=0.04)
    assert other.change == pytest.approx(0.0, abs=0.04)


@pytest.mark.parametrize("names", [TWO, THREE])
def test_a_reference_that_may_have_become_slower_is_seldom_ok(names):
    """The machine became faster by half as much: its times rose, and those of the others fell."""
    told = [
        verdicts(session(names, seed=seed, machine=0.03, faster=1.11, ref=1.2))["ref"]
        for seed in range(20)
    ]
    assert sum(verdict.kind is OK for verdict in told) <= 5, "luck favours the others"
    doubts = [verdict.sentence for verdict in told if verdict.kind is INCONCLUSIVE]
    assert doubts
    assert all("against base, which took turns with it, it is " in doubt for doubt in doubts)
    assert all("it became slower, or base faster, and their own times" in doubt for doubt in doubts)


@pytest.mark.parametrize("seed", range(5))
def test_a_variant_that_plainly_became_faster_is_no_doubt_about_the_reference(seed):
    found = kinds(session(TWO, seed=seed, base=0.8))
    assert found == {"ref": OK, "base": IMPROVED}


@pytest.mark.parametrize("seed", range(5))
def test_a_machine_that_reads_faster_may_hide_who_became_slower(seed):
    """As much faster as the variant became slower: its own times are as they were."""
    context = session(TWO, seed=seed, faster=1.15, reads=1 / 1.15, base=1.15)
    assert kinds(context)["base"] is INCONCLUSIVE
    unread = session(TWO, seed=seed, faster=1.15, base=1.15)
    assert kinds(unread)["base"] is OK, "nothing says that it was the machine"


@pytest.mark.parametrize("names", [TWO, THREE])
def test_so_it_is_on_a_machine_that_became_faster_than_it_ever_was(names):
    """Both moved far, the reference farther: that does not make it the one that changed."""
    seeds = range(12)
    found = [
        kinds(session(names, seed=seed, machine=0.04, faster=1.18, base=1.08)) for seed in seeds
    ]
    assert sum(each["base"] is REGRESSED for each in found) > len(seeds) / 2
    assert not any(each.get("other", OK) is REGRESSED or each["ref"] is REGRESSED for each in found)


@pytest.mark.parametrize("seed", range(5))
def test_all_others_became_slower_and_their_own_times_say_so(seed):
    found = kinds(session(THREE, seed=seed, base=1.15, other=1.15))
    assert (found["base"], found["other"]) == (REGRESSED, REGRESSED)
    assert found["ref"] is not REGRESSED


def test_the_reference_is_judged_by_the_finer_measure():
    context = session(THREE, seed=1, machine=0.03, ref=1.15)
    held = held_of_variant(ITL, "ref", context)
    own = context.grounds(ITL, "ref").of_variant()
    assert (own.ground, held.ground, held.to) == ("absolute", "ratio", "base")
    assert held.evidence.error < own.evidence.error
    assert held.evidence.change == pytest.approx(np.log(1.15), abs=0.05)
    sentence = verdicts(context)["ref"].sentence
    assert "against base, which took turns with it" in sentence


def test_where_one_ratio_stayed_the_reference_did():
    """The machine got faster by as much as the variant got slower: its own times are unchanged."""
    context = session(THREE, seed=1, machine=0.2, base=1.15)
    own, its = (context.grounds(ITL, name).own().evidence for name in ("base", "ref"))
    assert abs(own.change / own.error) < 1 < -its.change / its.error
    assert held_of_variant(ITL, "base", context).ground == "ratio"


def test_a_regression_by_its_own_past_names_the_reference_that_moved():
    # 'base' became slower, and the reference faster by more: both show by their own times.
    context = session(THREE, seed=1, machine=0.002, ref=0.5, base=1.2)
    verdict = verdicts(context)["base"]
    assert verdict.kind is REGRESSED
    block = dict(verdict.block)
    assert block["alone"].endswith("slower (±1.1 %) by its own times, ref 50.3 % faster (±1.1 %)")
    assert "slower" in block["reference"]
    assert "against ref, which does not decide: ref or the machine may" in block["reference"]
    assert "took turns" not in verdict.sentence


@pytest.mark.parametrize("seed", range(3))
def test_so_it_is_of_single_cases(seed):
    context = session(TWO, seed=seed, ref=0.5)
    said = [
        judge_case(record, context, Gates())[0].kind
        for record in context.records.values()
        if record.case.variant == "base"
    ]
    assert set(said) == {OK}
    record = next(r for r in context.records.values() if r.case.variant == "base")
    assert held_of_case(ITL, record, context).moved[0] == "ref"


@pytest.mark.parametrize(("names", "factor"), [(TWO, 0.95), (THREE, 0.95), (TWO, 0.9)])
@pytest.mark.parametrize("seed", range(5))
def test_on_a_slow_machine_a_variant_that_became_faster_is_not_accused(names, factor, seed):
    """The reference looks slower than ever, and the others by their own past too."""
    others = dict.fromkeys(names[1:], factor)
    found = kinds(session(names, seed=seed, faster=1 / 1.2, **others))
    assert {found[name] for name in others} <= {OK, IMPROVED}


@pytest.mark.parametrize("seed", range(5))
def test_a_machine_that_reads_slow_is_no_slow_reference(seed):
    found = kinds(session(TWO, seed=seed, faster=1 / 1.1, reads=1.1, base=0.9))
    assert found == {"ref": INCONCLUSIVE, "base": IMPROVED}


def under(engines, context, **devices):
    """*context* with the engine of each variant, and the device of some."""
    lives = {
        name: make_life(name, engine=engine, facts=make_facts(device=devices.get(name, "cpu")))
        for name, engine in engines.items()
    }
    return dataclasses.replace(context, lives={**context.lives, **lives})


APART = {"ref": "llama-cpp", "base": "llama-cpp", "other": "transformers"}


def on_a_slow_machine(seed=1, **fields):
    return session(THREE, seed=seed, faster=1 / 1.15, **{"reads": 1.15, **fields})


@pytest.mark.parametrize("seed", range(10))
def test_what_engines_apart_did_alike_was_the_reference_on_a_slow_machine_too(seed):
    context = under(APART, on_a_slow_machine(seed, ref=1.15))
    assert kinds(context) == {"ref": REGRESSED, "base": OK, "other": OK}
    assert held_of_variant(ITL, "ref", context).to == "base"


@pytest.mark.parametrize("seed", range(5))
def test_so_it_is_where_its_companion_s_own_times_are_suspicious(seed):
    context = under(APART, on_a_slow_machine(seed, reads=1.0, ref=1.15))
    found = kinds(context)
    assert found.pop("ref") is REGRESSED
    assert REGRESSED not in found.values()


@pytest.mark.parametrize(
    "engines",
    [{}, dict.fromkeys(THREE, "llama-cpp"), APART | {"ref": "mlx"}, APART | {"other": None}],
    ids=["unknown", "one", "not its own", "one unknown"],
)
def test_what_one_change_can_have_made_faster_is_a_doubt(engines):
    context = on_a_slow_machine(ref=1.15)
    assert kinds(under(engines, context))["ref"] is INCONCLUSIVE


@pytest.mark.parametrize("devices", [{"other": "cuda:0"}, {"base": "cuda:0", "other": "cuda:0"}])
def test_what_is_slow_where_the_reference_runs_does_not_slow_other_devices(devices):
    context = under(APART, on_a_slow_machine(ref=1.15), **devices)
    assert kinds(context)["ref"] is INCONCLUSIVE


def test_a_witness_has_most_of_the_reference_s_cases():
    context = under(APART, on_a_slow_machine(ref=1.15, prompts={"other": "abc"}))
    assert kinds(context)["ref"] is INCONCLUSIVE


def test_a_slow_machine_slows_one_engine_more_than_another():
    """Its workload takes half as long again, and the reference's tokens 15 %."""
    context = under(APART, on_a_slow_machine(ref=1.15, reads=1.5))
    assert kinds(context)["ref"] is INCONCLUSIVE


@pytest.mark.parametrize("seed", range(5))
def test_what_slowed_nobody_else_s_tokens_hides_no_slow_reference(seed):
    """Its workload takes half as long again, and the others' tokens as long as ever."""
    context = under(APART, session(THREE, seed=seed, reads=1.5, ref=1.15))
    assert kinds(context) == {"ref": REGRESSED, "base": OK, "other": OK}


@pytest.mark.parametrize("seed", range(5))
def test_a_quarter_of_what_the_machine_reads_may_be_its_doing_all_the_same(seed):
    """Its workload takes twice as long: a quarter of that is more than the reference's 15 %."""
    context = under(APART, session(THREE, seed=seed, reads=2.0, ref=1.15))
    assert kinds(context)["ref"] is not REGRESSED


@pytest.mark.parametrize(
    "factors", [{}, {"base": 0.85}, {"other": 0.85}, {"base": 1.15}, {"base": 0.92, "other": 0.7}]
)
@pytest.mark.parametrize("seed", range(5))
def test_what_the_others_did_apart_was_not_the_reference(seed, factors):
    context = under(APART, on_a_slow_machine(seed, **factors))
    assert kinds(context)["ref"] is not REGRESSED


@pytest.mark.parametrize("seed", range(5))
def test_a_companion_with_few_of_its_prompts_does_not_speak_for_the_reference(seed):
    context = session(TWO, seed=seed, prompts={"base": "a"}, ref=1.3)
    assert judge_variant("ref", context, Gates())[0].kind is REGRESSED
    assert held_of_variant(ITL, "ref", context).ground == "absolute"


@pytest.mark.parametrize("seed", range(5))
def test_more_than_half_of_them_is_enough(seed):
    context = session(TWO, seed=seed, prompts={"base": "abcd"}, ref=1.3)
    assert held_of_variant(ITL, "ref", context).ground == "ratio"


@pytest.mark.parametrize("seed", range(6))
def test_a_variant_that_its_own_times_suspect_too_is_never_ok(seed):
    """A faster reference, or a faster machine and a slower variant: nobody can tell."""
    context = session(TWO, seed=seed, faster=1.05, base=1.1)
    grounds = context.grounds(ITL, "base")
    assert grounds.of_variant().ground == "ratio"
    assert grounds.own().evidence.p_worse(0.0) <= SUSPICIOUS
    assert verdicts(context)["base"].kind in {REGRESSED, INCONCLUSIVE}


def test_where_nobody_can_tell_it_says_between_what():
    told = [verdicts(session(TWO, seed=s, faster=1.15, base=1.18))["base"] for s in range(10)]
    doubtful = [
        verdict for verdict in told if "their own times can't tell which" in verdict.sentence
    ]
    assert doubtful
    for verdict in doubtful:
        assert verdict.kind is INCONCLUSIVE
        assert "against ref, which took turns with it, it is " in verdict.sentence
        assert "it became slower, or ref faster, and their own times" in verdict.sentence


@pytest.mark.parametrize("seed", [3, 16, 20, 22, 24])
def test_one_slow_case_is_not_let_off_with_the_others(seed):
    """By its own times it is slower, though all of the variant beside a faster reference is not."""
    context = session(TWO, seed=seed, machine=0.03, slower={("base", "a"): 1.15}, ref=0.92)
    record = context.records[make_case("a", variant="base").key]
    assert judge_case(record, context, Gates())[0].kind in {REGRESSED, INCONCLUSIVE}


def test_the_companion_is_the_first_that_can_speak_for_the_reference():
    assert companion(ITL, session(THREE)) == "base"
    assert companion(ITL, session(THREE, prompts={"base": "abc"})) == "other"
    assert companion(ITL, session(THREE, prompts={"base": "abcd"})) == "base"
    assert companion(ITL, session(("ref",))) is None
    assert companion(ITL, make_context([make_record()])) is None


def test_a_variant_that_is_new_beside_it_is_passed_over():
    known = session(("ref", "other"), ref=1.15)
    new = [
        make_record(
            make_case(prompt, variant="base"), itl_s=0.02, relative={"itl_s": 1.0}, to="ref"
        )
        for prompt in PROMPTS
    ]
    context = dataclasses.replace(
        known,
        cases=(*(record.case for record in new), *known.cases),
        records={**{record.case.key: record for record in new}, **known.records},
        lives={**known.lives, "base": make_life("base")},
    )
    assert companion(ITL, context) == "other"
    assert judge_variant("ref", context, Gates())[0].kind is REGRESSED


@pytest.mark.parametrize("seed", range(5))
def test_a_machine_that_reads_fast_does_not_hide_who_became_slower(seed):
    found = kinds(session(TWO, seed=seed, faster=1.4, reads=1 / 1.4, base=1.15))
    assert found["base"] is REGRESSED


def test_a_ratio_that_is_too_noisy_to_tell_is_no_proof_that_the_reference_stayed():
    one = evidence(0.03, 0.005)
    assert stayed(one, evidence(0.0, 0.009))
    assert not stayed(one, evidence(0.0, 0.011))
    assert stayed(one, evidence(-0.03, 0.011))
    assert stayed(evidence(-0.03, 0.005), evidence(0.0, 0.009))
    assert not stayed(evidence(-0.03, 0.005), evidence(-0.02, 0.001))


def by_own_past(change, error=0.02):
    return make_held(evidence(change, error), sessions=5, cases=6)


@pytest.mark.parametrize(
    ("faster", "others", "moved"),
    [
        (0.05, (), True),  # own times alone: seven times as likely
        (0.04, (), False),  # five times
        (0.02, (), False),  # twice
        (0.02, (0.04,), True),  # the third ratio changed too
        (0.04, (0.015,), False),  # it looks more as if it had stayed, not surely
        (0.04, (0.04, 0.015), False),  # one of two does
        (0.04, (0.025,), True),
    ],
)
def test_a_third_ratio_that_is_not_sure_counts_with_what_it_is_worth(faster, others, moved):
    ratio = evidence(0.04, 0.005)
    third = [evidence(change, 0.012) for change in others]
    assert has_moved(ratio, by_own_past(0.0), by_own_past(-faster), third) is moved
