"""The machine's own memory-bound workload: what it does, and how much of it."""

import os
import threading

import numpy as np
import pytest

from pytest_llmbench.probes import calibration
from pytest_llmbench.probes.calibration import MIB, MOST_THREADS, read_calibration


@pytest.fixture(autouse=True)
def little(monkeypatch):
    """A workload of 1 MiB: what is read is not the point."""
    calibration._parts.cache_clear()
    monkeypatch.setattr(calibration, "MIB", 1)
    monkeypatch.setattr(calibration, "_parts", calibration._parts.__wrapped__)
    yield
    monkeypatch.undo()
    calibration._parts.cache_clear()


def test_it_is_the_median_of_its_passes():
    passes = [0.9, 0.1, 0.5, 0.3, 0.2, 0.4, 0.6, 0.8, 0.7]
    moments = iter([moment for taken in passes for moment in (0.0, taken)])
    assert read_calibration(lambda: next(moments)) == pytest.approx(0.5)
    assert next(moments, None) is None


def test_a_thread_for_each_processor_reads_its_part(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2}, raising=False)
    seen, read = set(), calibration._read

    def watched(part, ready):
        seen.add((threading.get_ident(), len(part)))
        read(part, ready)

    monkeypatch.setattr(calibration, "_read", watched)
    monkeypatch.setattr(calibration, "_PASSES", 1)
    read_calibration()
    assert sum(size for _, size in seen) == calibration.MIB * 2**20 // 4
    assert len(seen) == 3
    assert threading.get_ident() not in {thread for thread, _ in seen}


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (4, 4), (500, MOST_THREADS)])
def test_there_are_never_more_threads_than_it_takes(monkeypatch, processors, threads):
    there = set(range(processors))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: there, raising=False)
    assert calibration._processors() == threads


@pytest.mark.parametrize(("count", "threads"), [(6, 6), (None, 1)])
def test_without_affinity_all_processors_count(monkeypatch, count, threads):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    assert calibration._processors() == threads
    assert read_calibration() > 0


def test_all_of_the_memory_is_read_and_no_more():
    parts = calibration._parts(3)
    assert sum(part.nbytes for part in parts) == calibration.MIB * 2**20
    assert all(part.dtype == np.float32 for part in parts)


def test_it_costs_little_memory():
    assert MIB <= 64
