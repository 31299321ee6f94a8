"""Turns: who has a round in which, in what order, and what one member's failure costs."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from pytest_llmbench.runner.bout import bout_of, run_bout
from pytest_llmbench.runner.sampled import Sampled
from tests.runner.facts import Script, make_case, make_sampled


def member(name: str, rounds: int, script: Script | None = None) -> Sampled:
    return make_sampled(make_case(name, rounds=rounds, warmup=1), script)


def run(*members: Sampled, companions=(), seed: int = 0, turns=None) -> list[str]:
    """Measure *members*; return whose turn it was, in order."""
    focused: list[str] = []
    run_bout(
        members,
        companions=companions,
        focus=lambda sampled: focused.append(sampled.case.variant),
        chance=random.Random(seed),
        turns=itertools.count() if turns is None else turns,
    )
    return focused


def turns_of(sampled: Sampled) -> list[int]:
    return [entry.turn for entry in sampled.rounds]


def test_every_turn_has_everybody_once() -> None:
    members = [member(name, 5) for name in "abc"]
    focused = run(*members)
    assert [turns_of(each) for each in members] == [[0, 1, 2, 3, 4]] * 3
    for start in range(0, len(focused), 3):
        assert sorted(focused[start : start + 3]) == ["a", "b", "c"]


def test_the_order_within_a_turn_is_random_and_repeats_with_its_seed() -> None:
    def order(seed: int) -> list[str]:
        return run(*(member(name, 40) for name in "ab"), seed=seed)

    assert order(1) == order(1)
    assert order(1) != order(2)
    first = Counter(order(1)[0:-2:2])
    assert 10 < first["a"] < 32


def test_turns_are_numbered_on_over_bouts() -> None:
    turns = itertools.count()
    first, second = member("a", 2), member("a", 2)
    run(first, turns=turns)
    run(second, turns=turns)
    assert turns_of(first) + turns_of(second) == [0, 1, 2, 3]


def test_who_has_its_rounds_has_no_further_turn() -> None:
    short, long = member("short", 2), member("long", 5)
    focused = run(short, long)
    assert (len(short.rounds), len(long.rounds)) == (2, 5)
    assert focused.count("short") == 1 + 2 + 1  # warm-up, rounds, the end


def test_the_reference_goes_along_for_as_long_as_anybody_does() -> None:
    reference, other = member("reference", 2), member("other", 5)
    run(reference, other, companions={"reference"})
    assert turns_of(reference) == turns_of(other) == [0, 1, 2, 3, 4]


def test_nobody_goes_along_with_the_reference() -> None:
    reference, other = member("reference", 5), member("other", 2)
    run(reference, other, companions={"reference"})
    assert (len(reference.rounds), len(other.rounds)) == (5, 2)


def test_of_a_disturbed_round_both_are_measured_again() -> None:
    reference, other = member("reference", 3), member("other", 3, Script(busy=[1]))
    run(reference, other, companions={"reference"})
    assert turns_of(reference) == turns_of(other) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "script", [Script(dies_at=(0, 1)), Script(refuses=["p"])], ids=["dies", "refuses"]
)
def test_what_one_refuses_ends_that_one_alone(script: Script) -> None:
    fine, bad = member("fine", 4), member("bad", 4, script)
    run(fine, bad, companions={"bad"})
    assert bad.error is not None
    assert fine.error is None
    assert len(fine.rounds) == 4
    assert len(bad.rounds) < 4


def test_a_reference_that_died_has_no_further_turn() -> None:
    focused = run(member("fine", 9), member("bad", 9, Script(dies_at=(0, 1))), companions={"bad"})
    assert focused.count("bad") == 1 + 2 + 1  # warm-up, the round and the one it died in, the end


def test_nobody_is_timed_unless_it_alone_runs() -> None:
    focused: list[str] = []
    members = [member(name, 3) for name in "ab"]
    asked: list[tuple[str, str]] = []
    for each in members:
        ask = each.worker.generate

        def generate(*args, _ask=ask, _name=each.case.variant, **more):
            asked.append((_name, focused[-1]))
            return _ask(*args, **more)

        each.worker.generate = generate
    run_bout(
        members,
        companions=(),
        focus=lambda sampled: focused.append(sampled.case.variant),
        chance=random.Random(0),
        turns=itertools.count(),
    )
    assert len(asked) == 2 * (1 + 3)
    assert all(name == running for name, running in asked)


def test_a_bout_is_what_variants_have_in_common() -> None:
    assert bout_of(make_case("a", "p")) == bout_of(make_case("b", "p")) == "s/p-n2-t0"
    assert bout_of(make_case("a", "q")) != bout_of(make_case("a", "p"))
