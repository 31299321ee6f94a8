"""Waiting for other work to pause."""

from __future__ import annotations

from pytest_llmbench.runner.patience import LONGEST_S, QUIET, Patience, busy_processors


class Machine:
    """Busy for so many seconds from now; looking takes its time."""

    def __init__(self, busy_s: float, *, used: float = 1.0) -> None:
        self.now_s = 0.0
        self._busy_s = busy_s
        self._used = used

    def busy(self, seconds: float) -> float:
        self.now_s += seconds
        return self._used if self.now_s <= self._busy_s else 0.0

    def clock(self) -> float:
        return self.now_s


def waited(machine: Machine, budget_s: float = 100.0) -> float:
    Patience(machine.busy, budget_s=budget_s, clock=machine.clock).wait()
    return machine.now_s


def test_a_quiet_machine_costs_one_look() -> None:
    assert waited(Machine(0.0)) < 0.2


def test_a_burst_passes() -> None:
    assert 2.0 < waited(Machine(2.0)) < 2.3


def test_a_neighbour_that_stays_is_not_waited_for() -> None:
    assert LONGEST_S <= waited(Machine(1e9)) < LONGEST_S + 0.2


def test_a_little_other_work_is_none() -> None:
    assert waited(Machine(1e9, used=QUIET)) < 0.2


def test_all_waits_together_have_a_budget() -> None:
    machine = Machine(1e9)
    patience = Patience(machine.busy, budget_s=7.0, clock=machine.clock)
    for _ in range(5):
        patience.wait()
    assert machine.now_s < 7.5


def test_the_processors_can_be_looked_at() -> None:
    assert busy_processors(0.05) >= 0.0
