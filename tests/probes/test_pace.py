"""How fast a processor is: what the thread reads, where it is sent, and that it is free again."""

import os
import sys

import pytest

from pytest_llmbench.probes import pace
from pytest_llmbench.probes.pace import MOST_PROCESSORS, read_pace, visit_processors

linux = pytest.mark.skipif(sys.platform != "linux", reason="threads are pinned on Linux")


class Processors:
    """A machine whose processors take *takes_s* for the work, in turn, seen by a fake clock.

    Attributes:
        visits: the sets of processors that the thread was allowed to use, one after the other.
    """

    def __init__(self, *takes_s: float, own: int = 0, refuses: int | None = None) -> None:
        self.takes_s = takes_s
        self.own = own
        self.visits: list[set[int]] = []
        self._refuses = refuses
        self._at = own
        self._now = 0.0
        self._running = False

    def pin(self, pid: int, allowed: set[int]) -> None:
        assert pid == 0, "this thread alone"
        if len(self.visits) == self._refuses:
            self._refuses = None
            raise PermissionError("pinning is not allowed here")
        self.visits.append(set(allowed))
        if self._at not in allowed:
            self._at = min(allowed)

    def clock(self) -> float:
        """Every second reading is the end of a piece of work."""
        self._now += self.takes_s[self._at] if self._running else 0.0
        self._running = not self._running
        return self._now

    @property
    def all(self) -> set[int]:
        return set(range(len(self.takes_s)))


@pytest.fixture
def on(monkeypatch):
    """Put the probe on a machine."""

    def put(machine: Processors) -> Processors:
        monkeypatch.setattr(os, "sched_setaffinity", machine.pin, raising=False)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: machine.all, raising=False)
        monkeypatch.setattr(pace, "_STEPS", 1)
        return machine

    return put


def test_every_processor_is_visited_and_the_thread_is_free_again(on):
    machine = on(Processors(1.0, 1.1, 1.2))
    assert visit_processors(machine.clock) == pytest.approx((1.0, 1.1, 1.2))
    assert machine.visits == [{0}, {1}, {2}, machine.all]


def test_around_a_round_the_thread_stays_where_it_is(on):
    machine = on(Processors(1.0, 1.2, own=1))
    assert read_pace(machine.clock) == pytest.approx(1.2)
    assert machine.visits == []


def test_the_best_of_a_few_counts(on):
    machine = on(Processors(1.0))
    slow = iter([5.0, 4.0, 3.0, 2.0, 1.5])

    def clock():
        if not machine._running:
            machine.takes_s = (next(slow),)
        return machine.clock()

    assert read_pace(clock) == pytest.approx(1.5)


def test_of_a_large_machine_some_are_visited(on):
    machine = on(Processors(*[1.0] * 64, own=40))
    assert len(visit_processors(machine.clock)) == MOST_PROCESSORS
    assert machine.visits[-1] == machine.all


@pytest.mark.parametrize("refuses", [0, 1])
def test_where_pinning_is_refused_there_is_one_reading(on, refuses):
    machine = on(Processors(1.0, 1.0, refuses=refuses))
    assert visit_processors(machine.clock) == pytest.approx((1.0,))
    assert machine.visits[-1] == machine.all, "the thread is free"


def test_a_thread_that_can_t_be_freed_is_no_error(on, monkeypatch):
    machine = on(Processors(1.0, 1.0))

    def refuse(_pid, _allowed):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert visit_processors(machine.clock) == pytest.approx((1.0,))


def test_where_threads_can_t_be_pinned_there_is_one_reading(on, monkeypatch):
    machine = on(Processors(1.0, 2.0))
    monkeypatch.delattr(os, "sched_setaffinity")
    assert visit_processors(machine.clock) == pytest.approx((1.0,))
    assert machine.visits == []


@linux
def test_on_a_real_machine_the_thread_may_go_where_it_might_before():
    allowed = os.sched_getaffinity(0)
    readings = visit_processors()
    assert os.sched_getaffinity(0) == allowed
    assert len(readings) == min(len(allowed), MOST_PROCESSORS)
    assert all(reading > 0 for reading in readings)


def test_the_work_is_little():
    assert pace._STEPS * pace._TIMES * MOST_PROCESSORS <= 200_000, "steps of the interpreter"
