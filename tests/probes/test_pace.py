"""How fast each processor is: where the thread is sent, what it reads, and where it stays."""

import os
import sys

import pytest

from pytest_llmbench.probes import pace
from pytest_llmbench.probes.pace import MOST_PROCESSORS, MUCH_FASTER, read_pace

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
        monkeypatch.setattr(pace, "_sched_getcpu", lambda: lambda: machine.own)
        monkeypatch.setattr(pace, "_STEPS", 1)
        return machine

    return put


def test_every_processor_is_visited_and_the_thread_is_free_again(on):
    machine = on(Processors(1.0, 1.1, 1.2))
    assert read_pace(machine.clock) == pytest.approx((1.0, 1.1, 1.2))
    assert machine.visits == [{0}, {1}, {2}, {0}, machine.all]


def test_the_thread_stays_on_its_own_processor(on):
    machine = on(Processors(1.0, 1.2, 1.1, own=1))
    read_pace(machine.clock)
    assert machine.visits[-2:] == [{1}, machine.all]


@pytest.mark.parametrize(("times", "stays"), [(MUCH_FASTER * 0.99, 1), (MUCH_FASTER * 1.01, 0)])
def test_it_moves_to_one_that_is_much_faster(on, times, stays):
    machine = on(Processors(1.0, times, own=1))
    read_pace(machine.clock)
    assert machine.visits[-2:] == [{stays}, machine.all]


def test_the_best_of_a_few_counts(on):
    machine = on(Processors(1.0))
    slow = iter([5.0, 4.0, 3.0, 2.0, 1.5])

    def clock():
        if not machine._running:
            machine.takes_s = (next(slow),)
        return machine.clock()

    assert read_pace(clock) == pytest.approx((1.5,))


def test_of_a_large_machine_some_are_looked_at(on):
    machine = on(Processors(*[1.0] * 64, own=40))
    assert len(read_pace(machine.clock)) == MOST_PROCESSORS
    assert machine.visits[-2:] == [{40}, machine.all], "it goes back to where it was"


def test_an_own_processor_that_is_not_looked_at_is_left_for_none(on):
    machine = on(Processors(*[1.0] * 63, 99.0, own=63))
    read_pace(machine.clock)
    assert machine.visits[-2] == {63}


@pytest.mark.parametrize("refuses", [0, 1, 2])
def test_where_pinning_is_refused_there_is_one_reading(on, refuses):
    machine = on(Processors(1.0, 1.0, refuses=refuses))
    assert read_pace(machine.clock) == pytest.approx((1.0,))
    assert machine.visits[-1] == machine.all, "the thread is free"


def test_a_thread_that_can_t_be_freed_is_no_error(on, monkeypatch):
    machine = on(Processors(1.0, 1.0))

    def refuse(_pid, _allowed):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert read_pace(machine.clock) == pytest.approx((1.0,))


@pytest.mark.parametrize("missing", ["sched_setaffinity", "the C library", "its answer"])
def test_where_threads_can_t_be_pinned_there_is_one_reading(on, monkeypatch, missing):
    machine = on(Processors(1.0, 2.0))
    if missing == "sched_setaffinity":
        monkeypatch.delattr(os, "sched_setaffinity")
    elif missing == "the C library":
        monkeypatch.setattr(pace, "_sched_getcpu", lambda: None)
    else:
        monkeypatch.setattr(pace, "_sched_getcpu", lambda: lambda: -1)
    assert read_pace(machine.clock) == pytest.approx((1.0,))
    assert machine.visits == []


def test_a_c_library_that_does_not_tell_is_no_error(monkeypatch):
    pace._sched_getcpu.cache_clear()
    monkeypatch.setattr(pace.ctypes, "CDLL", lambda _name: object())
    assert pace._sched_getcpu() is None
    pace._sched_getcpu.cache_clear()

    def refuse(_name):
        raise TypeError("no handle of this program here")

    monkeypatch.setattr(pace.ctypes, "CDLL", refuse)
    assert pace._sched_getcpu() is None
    pace._sched_getcpu.cache_clear()


@linux
def test_on_a_real_machine_the_thread_may_go_where_it_might_before():
    allowed = os.sched_getaffinity(0)
    readings = read_pace()
    assert os.sched_getaffinity(0) == allowed
    assert len(readings) == min(len(allowed), MOST_PROCESSORS)
    assert all(reading > 0 for reading in readings)


def test_the_work_is_little():
    assert pace._STEPS * pace._TIMES * MOST_PROCESSORS <= 200_000, "steps of the interpreter"
