"""The reference measured again at the end: how much did the machine change meanwhile?"""

from __future__ import annotations

import pytest

from pytest_llmbench.runner.control import MOST_CASES, reference_again
from tests.runner.conftest import MakeBench, cases_of
from tests.runner.facts import Script, make_case

APART = {"reference": "a", "crews": (("a",), ("b",))}
CASES = cases_of("a", "b")


def measured(make_bench: MakeBench, cases, a: Script, **plan):
    bench, pool = make_bench(cases, {"a": a, "b": Script()}, plan={**APART, **plan})
    for case in cases:
        bench.measure(case)
    return bench, pool


def test_it_says_how_much_the_reference_changed(make_bench: MakeBench) -> None:
    bench, pool = measured(make_bench, CASES, Script(slower=[1.0, 1.1]))
    changes = reference_again(bench)
    assert changes["itl_s"] == pytest.approx(0.1)
    assert changes["ttft_s"] == pytest.approx(0.0)
    assert set(changes) == {"itl_s", "ttft_s"}
    assert pool.log.count("open a") == 2, "all of its cases in one fresh process"
    assert pool.log.count("open b") == 1


def test_faster_is_negative(make_bench: MakeBench) -> None:
    bench, _ = measured(make_bench, CASES, Script(slower=[1.0, 0.8]))
    assert reference_again(bench)["itl_s"] == pytest.approx(-0.2)


def test_it_is_not_needed_where_all_took_turns(make_bench: MakeBench) -> None:
    bench, pool = measured(make_bench, CASES, Script(), crews=(("a", "b"),))
    assert reference_again(bench) == {}
    assert pool.log.count("open a") == 1


def test_nor_where_one_crew_was_measured_or_there_is_no_reference(make_bench: MakeBench) -> None:
    bench, _ = measured(make_bench, cases_of("a"), Script())
    assert reference_again(bench) == {}
    bench, _ = measured(make_bench, CASES, Script(), reference=None)
    assert reference_again(bench) == {}


@pytest.mark.parametrize(("count", "again"), [(8, 8), (9, 5), (16, 8), (26, 7)])
def test_some_cases_are_enough(make_bench: MakeBench, count: int, again: int) -> None:
    prompts = "abcdefghijklmnopqrstuvwxyz"[:count]
    cases = [*cases_of("a", prompts=prompts, rounds=1), make_case("b", rounds=1)]
    bench, _ = measured(make_bench, cases, Script())
    before = {key: len(record.rounds) for key, record in bench.cases.items()}
    reference_again(bench)
    more = [key for key, record in bench.cases.items() if len(record.rounds) > before[key]]
    assert len(more) == again <= MOST_CASES
    assert more[0] == cases[0].key


def test_a_reference_that_failed_says_nothing(make_bench: MakeBench) -> None:
    bench, _ = measured(make_bench, CASES, Script(no_load=[0]))
    assert reference_again(bench) == {}
    bench, _ = measured(make_bench, CASES, Script(no_load=[1]))
    assert reference_again(bench) == {}


def test_a_further_launch_of_its_own_is_compared_with_the_first(make_bench: MakeBench) -> None:
    bench, _ = measured(make_bench, CASES, Script(slower=[1.0, 5.0, 1.2]), launches=2)
    assert reference_again(bench)["itl_s"] == pytest.approx(0.2)
