"""What is measured when: bouts at their first item, launches, second looks, and what fails."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest

from pytest_llmbench.domain.record import CaseRecord, Readings
from pytest_llmbench.errors import EngineNotInstalledError, LlmbenchError
from pytest_llmbench.metrics.taint import ACCEPTED_PACE
from pytest_llmbench.runner import placing
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.sampled import LEAST_ROUNDS
from tests.runner.conftest import MakeBench, cases_of
from tests.runner.facts import BUSY, FakePool, Script, make_case

BOTH = {"a": Script(), "b": Script()}
REFERENCE = {"reference": "a"}
AP, BP, AQ, BQ = cases_of("a", "b")


def launches(record: CaseRecord) -> list[int]:
    return sorted({entry.launch for entry in record.rounds})


def turns(record: CaseRecord) -> list[int]:
    return [entry.turn for entry in record.rounds]


def test_the_first_who_asks_has_the_whole_bout_measured(make_bench: MakeBench) -> None:
    bench, pool = make_bench([AP, BP, AQ, BQ], BOTH, plan=REFERENCE)
    assert pool.log == [], "nothing is loaded before it is needed"
    record = bench.measure(BP)
    assert record.case == BP
    assert set(bench.cases) == {AP.key, BP.key}
    assert pool.asked("a") == pool.asked("b") == 3
    bench.measure(AP)
    assert pool.asked("a") == 3, "it was measured with the other"
    bench.measure(AQ)
    assert set(bench.cases) == {AP.key, BP.key, AQ.key, BQ.key}
    assert pool.log.count("open a") == pool.log.count("open b") == 1


def test_nothing_unselected_is_measured(make_bench: MakeBench) -> None:
    bench, pool = make_bench([BP], BOTH, plan=REFERENCE)
    bench.measure(BP)
    assert set(bench.cases) == {BP.key}
    assert pool.workers.keys() == {"b"}


def test_a_bout_is_in_turns_and_each_knows_its_ratio(make_bench: MakeBench) -> None:
    scripts = {"a": Script(gaps_ms=[10.0]), "b": Script(gaps_ms=[20.0])}
    bench, _ = make_bench([AP, BP, AQ, BQ], scripts, plan=REFERENCE)
    first, other = bench.measure(BP), bench.measure(AP)
    assert turns(first) == turns(other) == [0, 1, 2]
    assert first.relative["itl_s"].to == "a"
    assert first.relative["itl_s"].value == pytest.approx(2.0)
    assert other.relative == {}
    assert turns(bench.measure(AQ)) == [3, 4, 5], "turns are counted on"


def test_a_bout_computes_on_the_same_processors(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "allowed_processors", lambda: frozenset(range(100, 120)))
    scripts = {"a": Script(threads=1), "b": Script(threads=3), "c": Script()}
    cases = cases_of("a", "b", "c", prompts="pqrs")
    bench, pool = make_bench(cases, scripts, plan=REFERENCE)
    for case in cases:
        bench.measure(case)
    bouts = list(zip(*(pool.workers[name][0].kept_on for name in "abc"), strict=True))
    assert len(bouts) == 4
    for few, more, every in bouts:
        assert (len(few), len(more), len(every)) == (1, 3, 20)
        assert few < more < every
    assert len(set(bouts)) > 1, "others for every bout"


def test_after_other_work_it_computes_elsewhere(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "allowed_processors", lambda: frozenset(range(100, 120)))
    scripts = {"a": Script(threads=1, busy=[1]), "b": Script(threads=1)}
    bench, pool = make_bench([AP, BP], scripts, plan=REFERENCE)
    bench.measure(BP)
    one, other = (pool.workers[name][0].kept_on for name in "ab")
    assert one == other
    assert len(one) == 2


def test_the_order_of_rounds_repeats_with_its_seed(make_bench: MakeBench) -> None:
    def order(seed: int) -> list[str]:
        bench, pool = make_bench(
            cases_of("a", "b", rounds=9), BOTH, plan=REFERENCE, chance=random.Random(seed)
        )
        bench.measure(AP)
        return pool.log

    assert order(3) == order(3)
    assert order(3) != order(4)


def test_of_two_crews_each_is_measured_alone(make_bench: MakeBench) -> None:
    plan = {"reference": "a", "crews": (("a",), ("b",))}
    bench, pool = make_bench([AP, BP], BOTH, plan=plan)
    bench.measure(AP)
    assert pool.workers.keys() == {"a"}
    assert bench.measure(BP).relative == {}


def test_while_nothing_is_timed_nothing_runs(make_bench: MakeBench) -> None:
    """The machine's own workload is timed with every worker at rest."""
    seen: list[str] = []
    bench, pool = make_bench([AP, BP], BOTH, calibrate=lambda: seen.append(pool.log[-1]) or 0.5)
    bench.measure(AP)
    assert seen == ["rest"]
    assert bench.readings() == Readings(pace_s=None, calibration_s=0.5)


def test_the_readings_are_this_session_s_medians(make_bench: MakeBench) -> None:
    figures = iter([0.5, 0.1, 0.2])
    scripts = {"a": Script(paces_s=(3.0, 2.0))}
    bench, _ = make_bench(
        cases_of("a", prompts="pqr"), scripts, calibrate=lambda: next(figures), pace_s=9.0
    )
    assert bench.readings() == Readings(pace_s=None, calibration_s=None)
    for case in cases_of("a", prompts="pqr"):
        bench.measure(case)
    assert bench.readings() == Readings(pace_s=3.0, calibration_s=0.2)
    assert bench.machine("a").pace_s == 3.0
    assert bench.machine("a").processors == 2


def test_at_a_pace_that_was_better_before_rounds_are_repeated(make_bench: MakeBench) -> None:
    slow = {"a": Script(paces_s=(ACCEPTED_PACE * 1.01,) * 2)}
    bench, _ = make_bench([AP], slow, pace_s=1.0)
    assert len(bench.measure(AP).rounds) == 6
    bench, _ = make_bench([AP], slow)
    assert len(bench.measure(AP).rounds) == 3, "a first session knows no better"


def test_every_launch_measures_all(make_bench: MakeBench) -> None:
    bench, pool = make_bench([AP, BP, AQ, BQ], BOTH, plan={**REFERENCE, "launches": 3})
    for case in (AP, BP, AQ, BQ):
        record = bench.measure(case)
        assert launches(record) == [0, 1, 2], case.key
        assert len(record.rounds) == 9
        assert len(record.metrics["itl_s"].launches) == 3
    assert pool.log.count("open a") == pool.log.count("open b") == 3
    assert len(bench.cases[BP.key].relative["itl_s"].launches) == 3
    assert pool.asked("a", "memory") == 2, "once for each of the two cases"
    assert pool.asked("a", "warm-up") == 4


def test_launches_of_one_crew_come_before_the_next(make_bench: MakeBench) -> None:
    plan = {"crews": (("a",), ("b",)), "launches": 2}
    bench, pool = make_bench([AP, BP, AQ, BQ], BOTH, plan=plan)
    bench.measure(AP)
    assert pool.log.count("open a") == 2
    assert "open b" not in pool.log
    assert launches(bench.measure(BQ)) == [0, 1]


def looked_again(make_bench: MakeBench, *, fresh: bool, **scripts: Script) -> tuple[Bench, Any]:
    """A bench of three variants that looked at ``b-p`` again after its bout."""
    told = {"a": Script(), "b": Script(slower=[2.0, 3.0]), "c": Script(), **scripts}
    cases = cases_of("a", "b", "c")
    bench, pool = make_bench(cases, told, plan=REFERENCE)
    bench.measure(BP)
    bench.look_again(BP, fresh=fresh)
    return bench, pool


def test_a_fresh_look_is_another_launch_of_both(make_bench: MakeBench) -> None:
    bench, pool = looked_again(make_bench, fresh=True)
    record = bench.cases[BP.key]
    assert launches(record) == [0, 1]
    assert record.metrics["itl_s"].launches == pytest.approx((2e-3, 3e-3))
    assert record.relative["itl_s"].launches == pytest.approx((2.0, 3.0))
    assert pool.log.count("open a") == pool.log.count("open b") == 2
    assert pool.log.count("open c") == 1
    assert pool.asked("b", "memory") == 1, "memory was read"


def test_what_it_is_held_against_has_the_launch_too(make_bench: MakeBench) -> None:
    """Else nobody could tell which of the two changed."""
    bench, _ = looked_again(make_bench, fresh=True)
    assert launches(bench.cases[AP.key]) == [0, 1]


def test_records_of_other_cases_stay_as_they_are(make_bench: MakeBench) -> None:
    bench, _ = make_bench(cases_of("a", "b", "c"), {**BOTH, "c": Script()}, plan=REFERENCE)
    for case in cases_of("a", "b", "c"):
        bench.measure(case)
    before = dict(bench.cases)
    bench.look_again(BP, fresh=True)
    changed = {key for key, record in bench.cases.items() if record is not before[key]}
    assert changed == {AP.key, BP.key}


def test_what_is_beside_a_reference_is_looked_at_with_it(make_bench: MakeBench) -> None:
    bench, pool = make_bench(cases_of("a", "b"), BOTH, plan=REFERENCE)
    bench.measure(BP)
    bench.look_again(AP, fresh=True, beside=BP)
    assert launches(bench.cases[AP.key]) == launches(bench.cases[BP.key]) == [0, 1]
    assert len(bench.cases[BP.key].relative["itl_s"].launches) == 2
    assert pool.log.count("open a") == pool.log.count("open b") == 2


def test_a_reference_is_not_looked_at_alone(make_bench: MakeBench) -> None:
    """Its first rounds were cut, and so are these."""
    bench, pool = make_bench(cases_of("a", "b", "c"), {**BOTH, "c": Script()}, plan=REFERENCE)
    bench.measure(BP)
    bench.look_again(AP, fresh=True)
    assert [launches(bench.cases[case.key]) for case in (AP, BP)] == [[0, 1], [0, 1]]
    assert len(pool.workers["a"][1].slices) == 3
    assert len(pool.workers["c"]) == 1


def test_what_was_alone_is_looked_at_alone(make_bench: MakeBench) -> None:
    bench, pool = make_bench([AP, BQ], BOTH, plan=REFERENCE)
    bench.measure(AP)
    bench.look_again(AP, fresh=True)
    assert [worker.slices for worker in pool.workers["a"]] == [[], []]
    assert "b" not in pool.workers


def test_where_that_dies_its_record_stays(make_bench: MakeBench) -> None:
    scripts = {"a": Script(), "b": Script(dies_at=(1, 1))}
    bench, _ = make_bench(cases_of("a", "b"), scripts, plan=REFERENCE)
    bench.measure(BP)
    before = bench.cases[BP.key]
    assert bench.look_again(AP, fresh=True, beside=BP).error is None
    assert bench.cases[BP.key] is before
    assert before.error is None
    assert launches(bench.cases[AP.key]) == [0, 1]


def test_what_dies_keeps_its_record_where_that_is_asked(make_bench: MakeBench) -> None:
    scripts = {"a": Script(), "b": Script(dies_at=(1, 1))}
    bench, _ = make_bench(cases_of("a", "b"), scripts, plan=REFERENCE)
    bench.measure(BP)
    before = bench.cases[BP.key]
    assert bench.look_again(BP, fresh=True, keep=True) is before
    assert "lost its process" in str(bench.variants["b"].error), "it is not forgotten"


def test_where_a_reference_dies_when_it_is_looked_at_it_has_an_error(
    make_bench: MakeBench,
) -> None:
    scripts = {"a": Script(dies_at=(1, 1)), "b": Script()}
    bench, _ = make_bench(cases_of("a", "b"), scripts, plan=REFERENCE)
    bench.measure(BP)
    assert "lost its process" in str(bench.look_again(AP, fresh=True, beside=BP).error)
    assert bench.cases[BP.key].error is None


def test_who_was_not_launched_again_has_one_launch(make_bench: MakeBench) -> None:
    """What is measured afterwards in an old process is no evidence of a further one."""
    bench, _ = looked_again(make_bench, fresh=True)
    bench.measure(make_case("c", "q"))
    assert launches(bench.cases["s/c-q-n2-t0"]) == [0]
    assert launches(bench.cases["s/b-q-n2-t0"]) == [1]
    assert bench.cases["s/c-q-n2-t0"].relative["itl_s"].launches == pytest.approx((1.0,))


def test_a_look_in_the_same_process_adds_rounds_to_its_launch(make_bench: MakeBench) -> None:
    bench, pool = looked_again(make_bench, fresh=False)
    record = bench.cases[BP.key]
    assert launches(record) == [0]
    assert len(record.rounds) == 6
    assert len(set(turns(record))) == 6
    assert record.relative["itl_s"].launches == pytest.approx((2.0,))
    assert pool.log.count("open b") == 1


def test_who_dies_in_a_fresh_launch_has_an_error(make_bench: MakeBench) -> None:
    bench, _ = looked_again(make_bench, fresh=True, b=Script(dies_at=(1, 1)))
    assert "lost its process" in str(bench.cases[BP.key].error)
    assert bench.cases[AP.key].error is None
    assert "lost its process" in str(bench.variants["b"].error)


def test_a_counterpart_that_dies_costs_the_ratio_of_that_launch(make_bench: MakeBench) -> None:
    bench, _ = looked_again(make_bench, fresh=True, a=Script(dies_at=(1, 0)))
    assert launches(bench.cases[BP.key]) == [0, 1]
    assert len(bench.cases[BP.key].relative["itl_s"].launches) == 1
    assert bench.cases[AP.key].error is None, "what it measured before stays"
    assert "lost its process" in str(bench.variants["a"].error)


@pytest.mark.parametrize("name", ["a", "b"])
def test_who_is_not_loaded_a_second_time_costs_itself(make_bench: MakeBench, name: str) -> None:
    bench, _ = looked_again(make_bench, fresh=True, **{name: Script(no_load=[1])})
    error = bench.cases[BP.key].error
    assert (error is None) == (name == "a")
    assert bench.cases[AP.key].error is None
    assert bench.variants[name].facts is not None


def test_who_fails_to_load_costs_its_own_cases(make_bench: MakeBench) -> None:
    bench, pool = make_bench([AP, BP, AQ, BQ], {"a": Script(no_load=[0]), "b": Script()})
    assert bench.measure(BP).error is None
    assert bench.measure(AP).error == "launch 0 found no memory"
    assert bench.measure(AQ).error == "not run, because earlier launch 0 found no memory"
    assert bench.measure(BQ).error is None
    assert pool.log.count("open a") == 1


def test_where_nobody_can_be_measured_nothing_is_timed(make_bench: MakeBench) -> None:
    bench, _ = make_bench([AP], {"a": Script(no_load=[0])})
    bench.measure(AP)
    assert bench.calibrations_s == []


def test_a_worker_that_dies_in_a_bout_costs_its_own_cases(make_bench: MakeBench) -> None:
    scripts = {"a": Script(dies_at=(0, 1)), "b": Script(), "c": Script()}
    bench, _ = make_bench(cases_of("a", "b", "c"), scripts, plan=REFERENCE)
    assert "lost its process (SIGKILL)" in str(bench.measure(AP).error)
    for name in "bc":
        assert len(bench.measure(make_case(name, "p")).rounds) == 3
        assert bench.measure(make_case(name, "q")).error is None
    assert str(bench.measure(AQ).error).startswith("not run, because earlier variant 'a' lost")


def test_two_that_die_in_one_bout_die_of_their_own(make_bench: MakeBench) -> None:
    scripts = {"a": Script(dies_at=(0, 1)), "b": Script(dies_at=(0, 2))}
    bench, _ = make_bench([AP, BP], scripts)
    bench.measure(AP)
    for name in "ab":
        assert f"variant {name!r} lost its process" in str(bench.variants[name].error)


def test_a_refused_prompt_costs_one_case_and_names_where_it_stands(make_bench: MakeBench) -> None:
    bench, _ = make_bench([AP, BP, AQ, BQ], {"a": Script(refuses=["p"]), "b": Script()})
    assert bench.measure(AP).error == "s.toml: prompts[1]: prompt 'p' under 'a': it refuses 'p'"
    assert bench.measure(BP).error is None
    assert bench.measure(AQ).error is None
    assert bench.variants["a"].error is None


def test_who_failed_in_an_early_launch_says_what_of(make_bench: MakeBench) -> None:
    scripts = {"a": Script(dies_at=(0, 1)), "b": Script(refuses=["q"])}
    bench, _ = make_bench([AP, BP, AQ, BQ], scripts, plan={"launches": 3})
    assert "lost its process (SIGKILL)" in str(bench.measure(AP).error)
    assert str(bench.measure(AQ).error).startswith("not run, because earlier variant 'a' lost")
    assert launches(bench.measure(BP)) == [0, 1, 2]
    assert "it refuses 'q'" in str(bench.measure(BQ).error)


def test_who_is_not_loaded_in_a_later_launch_has_an_error(make_bench: MakeBench) -> None:
    bench, _ = make_bench([AP, BP], {"a": Script(no_load=[1]), "b": Script()}, plan={"launches": 2})
    assert bench.measure(AP).error == "not run, because earlier launch 1 found no memory"
    assert launches(bench.measure(BP)) == [0, 1]


def test_an_engine_that_is_not_installed_costs_its_own_cases(make_bench: MakeBench) -> None:
    bench, pool = make_bench([AP, BP, AQ, BQ], {"a": Script(absent=True), "b": Script()})
    for case in (AP, AQ):
        with pytest.raises(EngineNotInstalledError, match="pip install it"):
            bench.measure(case)
    assert pool.asked("b") == 6, "its bouts are measured once"
    assert set(bench.cases) == {BP.key, BQ.key}
    assert bench.absent("a") is not None
    assert bench.absent("b") is None


def test_strictly_it_is_an_error_all_the_same(make_bench: MakeBench) -> None:
    bench, _ = make_bench([AP, BP], {"a": Script(absent=True), "b": Script()}, strict=True)
    with pytest.raises(EngineNotInstalledError):
        bench.measure(AP)
    assert bench.variants["a"].error is not None
    assert bench.measure(BP).error is None


def test_how_many_rounds_it_takes_is_decided_by_what_they_show(make_bench: MakeBench) -> None:
    seen: list[CaseRecord] = []

    def decides(record: CaseRecord) -> bool:
        seen.append(record)
        return record.case.variant == "b" or len(record.rounds) >= 7

    cases = cases_of("a", "b", "c", rounds=None)
    bench, _ = make_bench(cases, {**BOTH, "c": Script()}, decides=decides)
    assert len(bench.measure(cases[0]).rounds) == len(bench.measure(cases[2]).rounds) == 7
    assert len(bench.measure(cases[1]).rounds) == LEAST_ROUNDS
    assert all("itl_s" in record.metrics for record in seen)


def test_with_nobody_to_decide_the_fewest_do(make_bench: MakeBench) -> None:
    (case,) = cases_of("a", prompts="p", rounds=None)
    bench, _ = make_bench([case], {"a": Script()})
    assert len(bench.measure(case).rounds) == LEAST_ROUNDS


def test_earlier_launches_have_a_say(make_bench: MakeBench) -> None:
    (case,) = cases_of("a", prompts="p", rounds=None)
    counts: list[int] = []
    bench, _ = make_bench(
        [case],
        {"a": Script()},
        plan={"launches": 2},
        decides=lambda record: counts.append(len(record.rounds)) is None,
    )
    bench.measure(case)
    assert counts == [4, 8]


def test_a_twin_goes_along_and_is_not_asked_about(make_bench: MakeBench) -> None:
    asked: list[str] = []

    def decides(record: CaseRecord) -> bool:
        asked.append(record.case.variant)
        return len(record.rounds) >= 6

    (case,) = cases_of("a", prompts="p", rounds=None)
    plan = {"twins": {"a": "b"}, "crews": (("a", "b"),)}
    bench, pool = make_bench([case], {"a": Script(gaps_ms=[3.0]), "b": Script()}, plan=plan,
                             decides=decides)  # fmt: skip
    assert bench.measure(case).relative["itl_s"].to == "b"
    assert bench.measure(case).relative["itl_s"].value == pytest.approx(3.0)
    assert pool.asked("a") == pool.asked("b") == 6
    assert set(asked) == {"a"}
    assert set(bench.cases) == {AP.key, BP.key}


def loads(pool: FakePool) -> list[str]:
    """Which variants were loaded and ended, in order."""
    return [entry for entry in pool.log if entry.partition(" ")[0] in ("open", "end")]


def test_a_fresh_launch_begins_as_the_first_one_did(make_bench: MakeBench) -> None:
    """Whoever asks: what is loaded first has other times than what comes after it."""
    bench, pool = make_bench([AP, BP], BOTH, plan=REFERENCE)
    bench.measure(BP)
    bench.look_again(BP, fresh=True)
    assert loads(pool) == ["open a", "open b", "end b", "end a", "open a", "open b"]


@pytest.mark.parametrize("seed", range(4))
def test_a_variant_and_its_twin_go_first_by_turns(make_bench: MakeBench, seed: int) -> None:
    (case,) = cases_of("a", prompts="p")
    plan = {"twins": {"a": "b"}, "crews": (("a", "b"),)}
    bench, pool = make_bench([case], BOTH, plan=plan, chance=random.Random(seed))
    bench.measure(case)
    bench.look_again(case, fresh=True)
    bench.look_again(case, fresh=True)
    opened = [entry for entry in loads(pool) if entry.startswith("open")]
    first = opened[::2]
    assert first[0] == first[2] != first[1]
    assert opened[1::2] == [{"open a": "open b", "open b": "open a"}[name] for name in first]


def test_chance_says_which_of_twins_goes_first(make_bench: MakeBench) -> None:
    (case,) = cases_of("a", prompts="p")
    plan = {"twins": {"a": "b"}, "crews": (("a", "b"),)}
    first = set()
    for seed in range(12):
        bench, pool = make_bench([case], BOTH, plan=plan, chance=random.Random(seed))
        bench.measure(case)
        first.add(loads(pool)[0])
    assert first == {"open a", "open b"}


def test_another_sampling_is_measured_anew_with_its_counterpart(make_bench: MakeBench) -> None:
    bench, _ = make_bench([AP, BP], BOTH, plan=REFERENCE)
    bench.measure(BP)
    reference = bench.cases[AP.key]
    (more,) = cases_of("b", prompts="p", rounds=5)
    record = bench.measure(more)
    assert len(record.rounds) == 5
    assert record.relative["itl_s"].value == pytest.approx(1.0)
    assert bench.cases[AP.key] is reference


def test_disturbed_rounds_are_repeated_for_the_whole_turn(make_bench: MakeBench) -> None:
    bench, _ = make_bench([AP, BP], {"a": Script(), "b": Script(busy=[0])}, plan=REFERENCE)
    assert len(bench.measure(BP).rounds) == 4
    assert len(bench.measure(AP).rounds) == 4
    assert bench.cases[BP.key].rounds[0].contention == BUSY


def test_a_single_text_can_be_generated_on_a_loaded_variant(make_bench: MakeBench) -> None:
    bench, pool = make_bench([AP], {"a": Script(refuses=["q"])})
    generated = bench.generate("a", AP.prompt.messages, AP.parameters)
    assert generated.trace.text == "a b"
    assert pool.log == ["open a", "focus a"]
    assert bench.facts("a").identity == {"name": "a"}
    with pytest.raises(LlmbenchError, match="refuses"):
        bench.generate("a", AQ.prompt.messages, AQ.parameters)
    assert bench.variants["a"].error is None


def test_an_interruption_ends_who_was_being_measured(make_bench: MakeBench) -> None:
    bench, pool = make_bench([AP, BP], BOTH)
    bench.facts("a")
    worker = pool.workers["a"][0]

    def interrupted(*_, **__):
        worker.lost = True
        raise KeyboardInterrupt

    worker.generate = interrupted
    with pytest.raises(KeyboardInterrupt):
        bench.measure(AP)
    assert bench.variants["a"].error == "interrupted by KeyboardInterrupt()"
    assert bench.variants["b"].error is None
    assert bench.cases == {}


def test_closing_ends_the_workers(make_bench: MakeBench) -> None:
    bench, pool = make_bench([AP], {"a": Script()})
    bench.measure(AP)
    bench.close()
    assert pool.log[-1] == "close"
    assert bench.cases[AP.key].error is None


def test_parameters_are_part_of_what_is_measured(make_bench: MakeBench) -> None:
    longer = msgspec.structs.replace(
        AP, parameters=msgspec.structs.replace(AP.parameters, max_new_tokens=9)
    )
    bench, _ = make_bench([AP, longer], {"a": Script()})
    assert bench.measure(AP).case.key != bench.measure(longer).case.key
    assert len(list(itertools.chain(*(r.rounds for r in bench.cases.values())))) == 6
