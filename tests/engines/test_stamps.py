"""The clock of a round: what a token's stamp is, and what a pause between two slices leaves out."""

from __future__ import annotations

import pytest

from pytest_llmbench.engines import Slices, Stamps


class Clock:
    """Nanoseconds that pass only where a test says so."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns

    def passes(self, ns: int) -> None:
        self.ns += ns


def stamped(clock: Clock, count: int, **more) -> Stamps:
    """*count* tokens, 10 ns apart, the first after 100."""
    stamps = Stamps(clock, **more)
    clock.passes(90)
    for number in range(count):
        clock.passes(10)
        stamps.token(number)
    return stamps


def slices(tokens: int, pause, *, most: int = 99, settle=lambda: None) -> Slices:
    return Slices(tokens=tokens, most=most, settle=settle, pause=pause)


def test_without_slices_nothing_pauses():
    assert stamped(Clock(), 3).ns == [100, 110, 120]


def test_the_first_slice_ends_with_the_first_token_and_pauses_do_not_count():
    clock, at = Clock(), list[int]()

    def pause() -> None:
        at.append(len(stamps.ns))
        clock.passes(1_000)

    stamps = Stamps(clock, slices=slices(3, pause))
    for number in range(8):
        clock.passes(10)
        stamps.token(number)
    assert at == [1, 4, 7]
    assert stamps.ns == [10, 20, 30, 40, 50, 60, 70, 80]
    assert stamps.ids == list(range(8))
    assert stamps.elapsed_ns() == 80


@pytest.mark.parametrize("of_device", [True, False], ids=["the device's", "the engine's"])
def test_what_is_under_way_is_waited_for_before_a_pause_and_counts(of_device):
    clock, order = Clock(), list[str]()

    def pause() -> None:
        order.append("pause")
        clock.passes(1_000)

    def settle() -> None:
        order.append("settle")
        clock.passes(7)

    cut = slices(1, pause, settle=settle if of_device else lambda: 1 / 0)
    stamps = Stamps(clock, slices=cut)
    own = {} if of_device else {"settle": settle}
    clock.passes(10)
    stamps.token(0, **own)
    clock.passes(3)
    stamps.token(1, **own)
    assert order == ["settle", "pause"] * 2
    assert stamps.ns == [10, 20]


@pytest.mark.parametrize(("most", "pauses"), [(1, 0), (2, 1), (4, 1), (5, 2)])
def test_nothing_pauses_after_the_last_token(most, pauses):
    at = list[int]()
    stamps = Stamps(Clock(), slices=slices(3, lambda: at.append(0), most=most))
    for number in range(most):
        stamps.token(number)
    assert len(at) == pauses


def test_nothing_is_waited_for_where_nothing_pauses():
    stamps = Stamps(Clock(), slices=slices(9, lambda: None, settle=lambda: None))
    stamps.token(0)
    stamps.token(1, settle=lambda: 1 / 0)


def test_a_round_whose_times_were_noted_elsewhere_is_not_cut():
    stamps = Stamps(Clock(), slices=slices(1, lambda: 1 / 0))
    stamps.token(0, at_ns=5)
    stamps.chunk()
    assert stamps.ns == [5, 0]


def test_a_planted_slowdown_is_of_what_counts_alone():
    ticks = Clock()

    def clock() -> int:
        ticks.passes(1)
        return ticks.ns

    stamps = Stamps(clock, slowdown=0.5, slices=slices(1, lambda: ticks.passes(10**6)))
    for number in range(3):
        ticks.passes(100)
        stamps.token(number)
    gaps = [after - before for before, after in zip(stamps.ns, stamps.ns[1:], strict=False)]
    assert all(150 <= gap < 160 for gap in gaps)
