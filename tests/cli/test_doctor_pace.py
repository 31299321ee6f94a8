"""Whether the processors keep their speed: both sides of what is accepted."""

from __future__ import annotations

import pytest

from pytest_llmbench.cli.doctor_pace import LOOKS, Paces, read_paces
from pytest_llmbench.metrics.taint import ACCEPTED_PACE

EDGE = ACCEPTED_PACE * 1e-3


@pytest.mark.parametrize(
    ("slowest_s", "steady"), [(1e-3, True), (EDGE, True), (EDGE * 1.001, False)]
)
def test_steady_is_within_what_is_accepted_of_a_round(slowest_s: float, steady: bool) -> None:
    paces = Paces(((1e-3, 1e-3), (1e-3, slowest_s)))
    assert paces.steady is steady
    assert paces.words.startswith("steady" if steady else "not steady")


def test_one_slow_processor_and_all_of_them_are_told_apart() -> None:
    paces = Paces(((1e-3, 1e-3), (1e-3, 2e-3), (1.8e-3, 1.9e-3), (1e-3, 1.2e-3)))
    assert paces.words == (
        "not steady: 1 ms at its best, 2.00 times that at its worst; a processor was slower than "
        "1.25 times in 2 of 4 looks, all of them in 1"
    )


def test_one_processor_alone() -> None:
    paces = Paces(((3e-4,), (2e-4,)))
    assert paces.slowest == pytest.approx(1.5)
    assert paces.words.endswith("in 1 of 2 looks, all of them in 1")


def test_looks_follow_one_that_does_not_count() -> None:
    readings = iter([(9.0,), *[(1.0,)] * LOOKS])
    pauses: list[float] = []
    paces = read_paces(read=lambda: next(readings), pause=pauses.append)
    assert paces.looks == ((1.0,),) * LOOKS
    assert 1 <= sum(pauses) <= 5


def test_for_real_a_look_is_a_time_of_each_processor() -> None:
    paces = read_paces(2, pause=lambda _: None)
    assert len(paces.looks) == 2
    assert len({len(look) for look in paces.looks}) == 1
    assert 0 < paces.best_s < 1
