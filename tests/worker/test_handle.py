"""A worker's process: what it is asked, what it prints, and how it rests and ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.worker import WorkerPool
from pytest_llmbench.worker.child import FIRST_PARAMETERS
from tests.support import demo_form, variant
from tests.worker.conftest import pid_of, stops

HELLO = (Message(role="user", content="hello"),)


def test_memory_belongs_to_the_variant_and_comes_back(pool: WorkerPool) -> None:
    worker = pool.open(variant("v", "scripted", load_bytes=200 * 2**20))
    worker.start()
    life = worker.load().life
    assert life.after_load is not None
    grown = life.after_load.host.rss - life.before.host.rss
    assert grown == pytest.approx(200 * 2**20, rel=0.05)
    freed = worker.free().life
    assert freed.after_free is not None
    assert freed.after_free.host.rss - life.before.host.rss < 20 * 2**20
    assert freed.rss_peak is not None
    assert freed.rss_peak >= life.after_load.host.rss
    assert freed.free_s is not None
    assert life.first_generate_s is not None


def test_opening_another_suspends_the_first_and_asking_resumes_it(pool: WorkerPool) -> None:
    first = pool.open(variant("first", "scripted"))
    first.start()
    first.load()
    second = pool.open(variant("second", "scripted"))
    assert stops(pid_of(first))
    second.start()
    second.load()
    pool.focus(first)
    assert stops(pid_of(second))
    assert first.generate(HELLO, FIRST_PARAMETERS, "a test").trace.token_ids


def reallocates(pool: WorkerPool, engine: str, **options: object) -> bool:
    worker = pool.open(variant("v", engine, **options))
    worker.start()
    worker.load()
    return worker.reallocate("a test")


@pytest.mark.engine("llama-cpp")
def test_an_engine_that_keeps_buffers_says_that_they_are_fresh(pool: WorkerPool) -> None:
    assert reallocates(pool, "llama-cpp", model=demo_form("f16.gguf"), context=64) is True


def test_one_that_keeps_none_says_so(pool: WorkerPool) -> None:
    assert reallocates(pool, "scripted") is False


@pytest.mark.skipif(sys.platform != "linux", reason="no affinity elsewhere")
def test_all_of_its_threads_are_kept_on_processors(pool: WorkerPool) -> None:
    worker = pool.open(variant("v", "scripted", work=1))
    worker.keep_on({0})  # nothing was launched yet
    worker.start()
    worker.load()
    pid, allowed = pid_of(worker), os.sched_getaffinity(0)
    for processors in ({min(allowed)}, {max(allowed)}, allowed):
        worker.keep_on(processors)
        threads = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]
        assert len(threads) > 1
        assert {frozenset(os.sched_getaffinity(thread)) for thread in threads} == {
            frozenset(processors)
        }
    worker.keep_on(())
    assert os.sched_getaffinity(pid) == allowed
    worker.close()
    worker.keep_on({0})


def test_closing_the_pool_ends_stopped_workers_too(pool: WorkerPool) -> None:
    first = pool.open(variant("first", "scripted"))
    first.start()
    second = pool.open(variant("second", "scripted"))
    second.start()
    pids = [pid_of(first), pid_of(second)]
    pool.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_warnings_are_distinct_and_named(pool: WorkerPool) -> None:
    worker = pool.open(variant("v", "scripted", warn=["slow kernel", "slow kernel", "old driver"]))
    worker.start()
    assert worker.load().warnings == ("UserWarning: slow kernel", "UserWarning: old driver")


def test_the_worker_is_another_process_without_torch(pool: WorkerPool) -> None:
    worker = pool.open(variant("v", "scripted"))
    ready = worker.start()
    assert (ready.settings, ready.identity) == ({}, {})
    assert pid_of(worker) != os.getpid()


def test_a_slowdown_is_planted_in_the_loop(pool: WorkerPool) -> None:
    pool._slowdowns["v"] = 0.5
    worker = pool.open(variant("v", "scripted", ttft_s=0.1, itl_s=0.02))
    worker.start()
    worker.load()
    stamps = worker.generate(HELLO, FIRST_PARAMETERS, "a test").trace.stamps_ns
    assert stamps[0] == pytest.approx(0.15e9)
    assert stamps[1] - stamps[0] == pytest.approx(0.03e9)
