"""Warm-up, memory pass, rounds and the time budget of one case, on a worker that only counts."""

from __future__ import annotations

import itertools

import pytest

from pytest_llmbench.errors import CaseError, WorkerCrashedError
from pytest_llmbench.metrics.taint import ACCEPTED_PACE, Machine
from pytest_llmbench.runner.sampled import (
    LEAST_ROUNDS,
    MOST_ROUNDS,
    MOST_WARMING,
    STEADY,
    TIMES_AS_MANY,
    Sampled,
)
from tests.runner.facts import Script, make_case, make_sampled, run_alone, take_round

FASTER = 1 - STEADY


def measured(script: Script | None = None, /, *, more: dict | None = None, **sampling) -> Sampled:
    """A case with this sampling, measured to its end."""
    return run_alone(make_sampled(make_case(**sampling), script, **(more or {})))


def gaps_ms(sampled: Sampled) -> list[float]:
    stamps = [entry.trace.stamps_ns for entry in sampled.rounds]
    return [(last - first) / 1e6 for first, last in stamps]


def test_the_memory_pass_is_the_warm_up() -> None:
    sampled = measured()
    assert sampled.worker.asked == ["memory", "round", "round", "round"]
    assert len(sampled.rounds) == 3
    assert sampled.memory is not None
    assert sampled.warmup_s == 1.0


def test_a_device_that_compiles_itself_warms_up_twice() -> None:
    sampled = measured(Script(device="cuda:0"))
    assert sampled.worker.asked == ["memory", "warm-up", "round", "round", "round"]


@pytest.mark.parametrize(
    ("warmup", "asked"),
    [
        (0, ["round", "round", "round", "memory"]),
        (1, ["memory", "round", "round", "round"]),
        (3, ["memory", "warm-up", "warm-up", "round", "round", "round"]),
    ],
)
def test_warm_up_as_asked(warmup: int, asked: list[str]) -> None:
    assert measured(warmup=warmup).worker.asked == asked


@pytest.mark.parametrize("warmup", [0, None])
def test_memory_that_was_read_in_another_launch_is_not_read_again(warmup: int | None) -> None:
    sampled = measured(more={"memory_wanted": False}, warmup=warmup)
    assert "memory" not in sampled.worker.asked
    assert sampled.memory is None


def test_first_rounds_are_warm_up_while_the_next_is_faster() -> None:
    sampled = measured(Script(gaps_ms=[10, 8, 6, 6, 5.8]))
    assert gaps_ms(sampled) == [6, 6, 5.8]
    assert sampled.warmup_s == 1.0 + 2  # the memory pass, and two rounds of a second
    assert sampled.worker.asked.count("round") == 5


def test_a_slow_first_token_is_warm_up_too() -> None:
    sampled = measured(Script(ttfts_ms=[30, 10]))
    assert [entry.trace.stamps_ns[0] for entry in sampled.rounds] == [10_000_000] * 3


@pytest.mark.parametrize(("second", "dropped"), [(FASTER * 1.001, 0), (FASTER * 0.999, 1)])
def test_both_sides_of_steady(second: float, dropped: int) -> None:
    sampled = measured(Script(gaps_ms=[10, 10 * second]))
    assert sampled.worker.asked.count("round") == 3 + dropped


def test_a_case_that_never_gets_steady_is_measured_all_the_same() -> None:
    sampled = measured(Script(gaps_ms=[2.0**-n for n in range(30)]))
    assert len(sampled.rounds) == 3
    assert sampled.worker.asked.count("round") == 3 + MOST_WARMING


def test_later_rounds_that_are_faster_are_no_warm_up() -> None:
    assert gaps_ms(measured(Script(gaps_ms=[10, 10, 5]))) == [10, 10, 5]


@pytest.mark.parametrize("warmup", [0, 1])
def test_with_a_number_of_warm_ups_no_round_is_dropped(warmup: int) -> None:
    assert gaps_ms(measured(Script(gaps_ms=[10, 5]), warmup=warmup)) == [10, 5, 5]


def test_each_round_knows_its_launch_and_turn() -> None:
    sampled = measured(Script(gaps_ms=[10, 5]), more={"launch": 2})
    assert [(entry.launch, entry.turn) for entry in sampled.rounds] == [(2, 1), (2, 2), (2, 3)]


@pytest.mark.parametrize(
    ("busy", "rounds"),
    [([], 3), ([1], 4), ([0, 1], 5), (range(3), 6), (range(5), 6), (range(9), 3 * TIMES_AS_MANY)],
)
def test_disturbed_rounds_are_repeated_up_to_a_cap(busy, rounds: int) -> None:
    assert len(measured(Script(busy=busy)).rounds) == rounds


def test_a_neighbour_that_comes_later_and_stays_ends_the_rounds_too() -> None:
    never = {"enough": lambda _: False}
    sampled = measured(Script(busy=range(5, 999)), rounds=None, more=never)
    assert len(sampled.rounds) == TIMES_AS_MANY * 5


def test_disturbed_rounds_are_among_the_most() -> None:
    never = {"enough": lambda _: False}
    busy = range(0, 2 * MOST_ROUNDS, 3)
    assert len(measured(Script(busy=busy), rounds=None, more=never).rounds) == MOST_ROUNDS


def test_a_round_on_a_slow_machine_is_disturbed() -> None:
    machine = Machine(processors=2, pace_s=0.01)
    slow = Script(paces_s=(0.01 * ACCEPTED_PACE * 1.01,) * 2)
    fine = Script(paces_s=(0.01 * ACCEPTED_PACE,) * 2)
    assert len(measured(slow, more={"machine": machine}).rounds) == 6
    assert len(measured(fine, more={"machine": machine}).rounds) == 3


@pytest.mark.parametrize(
    ("enough_from", "rounds"),
    [(0, LEAST_ROUNDS), (LEAST_ROUNDS, LEAST_ROUNDS), (9, 9), (1000, MOST_ROUNDS)],
)
def test_the_number_of_rounds_can_depend_on_what_they_show(enough_from: int, rounds: int) -> None:
    enough = {"enough": lambda rounds: len(rounds) >= enough_from}
    assert len(measured(more=enough, rounds=None).rounds) == rounds


def test_who_decides_is_asked_from_the_fourth_round_on() -> None:
    seen: list[int] = []

    def enough(rounds) -> bool:
        seen.append(len(rounds))
        return len(rounds) > 5

    measured(more={"enough": enough}, rounds=None)
    assert sorted(set(seen)) == [4, 5, 6]


@pytest.mark.parametrize(("busy", "rounds"), [([2], 5), (range(99), TIMES_AS_MANY * LEAST_ROUNDS)])
def test_disturbed_rounds_are_repeated_there_too(busy, rounds: int) -> None:
    assert len(measured(Script(busy=busy), rounds=None).rounds) == rounds


@pytest.mark.parametrize(
    ("max_time_s", "rounds"), [(0.1, 1), (1.0, 1), (1.1, 2), (2.9, 3), (100.0, 9)]
)
def test_no_round_starts_after_the_budget_but_one_always_runs(
    max_time_s: float, rounds: int
) -> None:
    assert len(measured(max_time_s=max_time_s, rounds=9).rounds) == rounds


def test_the_budget_holds_for_rounds_that_were_warm_up_or_disturbed() -> None:
    sampled = measured(Script(gaps_ms=[9, 5], busy=[1]), max_time_s=3.0, rounds=9)
    assert len(sampled.rounds) == 2
    assert sampled.worker.asked.count("round") == 3


@pytest.mark.parametrize(("max_time_s", "rounds"), [(0.1, 1), (2.0, 1), (2.1, 2), (6.1, 4)])
def test_fresh_buffers_are_on_the_budget(max_time_s: float, rounds: int) -> None:
    """A second each, as the rounds."""
    assert len(measured(Script(keeps=True), max_time_s=max_time_s, rounds=9).rounds) == rounds


def test_who_refuses_is_asked_once() -> None:
    sampled = measured(Script(refuses=["p"]))
    assert isinstance(sampled.error, CaseError)
    assert sampled.worker.asked == ["memory"]
    assert not sampled.wants_more


def test_who_dies_keeps_what_it_had_and_is_asked_no_more() -> None:
    sampled = measured(Script(dies_at=(0, 1)), warmup=0)
    assert isinstance(sampled.error, WorkerCrashedError)
    assert len(sampled.rounds) == 1
    assert sampled.worker.asked == ["round", "round"]
    take_round(sampled, 9)
    sampled.finish()
    assert len(sampled.worker.asked) == 2


def test_what_is_done_is_said_between_rounds() -> None:
    said: list[str] = []
    sampled = make_sampled(make_case(warmup=2))
    sampled._progress = type("Progress", (), {"say": staticmethod(said.append)})()
    run_alone(sampled)
    key = sampled.case.key
    assert said == [
        f"{key}: fresh buffers",
        f"{key}: memory pass",
        f"{key}: warm-up 2/2",
        *(f"{key}: round {number}/3" for number in (1, 2, 3)),
    ]


def test_an_open_number_of_rounds_is_not_said() -> None:
    said: list[str] = []
    sampled = make_sampled(make_case(rounds=None))
    sampled._progress = type("Progress", (), {"say": staticmethod(said.append)})()
    run_alone(sampled)
    assert said[2] == f"{sampled.case.key}: round 1"
    assert len(list(itertools.filterfalse(lambda text: "round" not in text, said))) == LEAST_ROUNDS


@pytest.mark.parametrize(
    ("script", "warmup", "after"),
    [
        ({"keeps": True}, None, [0, 1, 2, 3]),  # before the warm-up, and each of three rounds
        ({"keeps": True}, 2, [0, 2, 3, 4]),
        ({"keeps": True}, 0, []),
        ({"keeps": False}, None, [0]),
        ({"keeps": True, "device": "cuda:0"}, None, [0]),
    ],
)
def test_buffers_are_fresh_where_a_warm_up_is_wanted(script, warmup, after) -> None:
    assert measured(Script(**script), warmup=warmup).worker.reallocated == after


def test_without_room_for_fresh_buffers_no_round_begins() -> None:
    sampled = measured(Script(keeps=True, no_room_at=3))
    assert sampled.worker.asked == ["memory", "round"]
    assert str(sampled.error) == (
        f"there is no room while generating {sampled.case.key} (fresh buffers)"
    )
