"""Rounds that are cut into slices: where they pause, what rests meanwhile, and what ends them."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import psutil
import pytest

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.errors import CaseError, WorkerCrashedError, WorkerTimeoutError
from pytest_llmbench.worker import Worker, WorkerPool, handle
from pytest_llmbench.worker.child import FIRST_PARAMETERS
from tests.support import variant
from tests.worker.conftest import ends, pid_of, stops

HELLO = (Message(role="user", content="hello"),)
TOKENS = FIRST_PARAMETERS.max_new_tokens


def loaded(pool: WorkerPool, name: str = "v", **options) -> Worker:
    """A worker of an engine that really takes time for every token."""
    worker = pool.open(variant(name, "scripted", work=1, **options))
    worker.start()
    worker.load()
    return worker


def in_slices(worker: Worker, tokens: int, messages=HELLO):
    return worker.generate_in_slices(messages, FIRST_PARAMETERS, "a test", slice_tokens=tokens)


def drained(slices):
    """How often it paused, and what came of it."""
    pauses = 0
    while True:
        try:
            next(slices)
        except StopIteration as end:
            return pauses, end.value
        pauses += 1


@pytest.mark.parametrize(("tokens", "pauses"), [(1, 15), (4, 4), (5, 3), (15, 1), (16, 1)])
def test_it_pauses_after_the_first_token_and_every_so_many(pool, tokens, pauses) -> None:
    worker = loaded(pool)
    assert TOKENS == 16
    whole = worker.generate(HELLO, FIRST_PARAMETERS, "a test").trace
    seen, generated = drained(in_slices(worker, tokens))
    assert seen == pauses
    assert (generated.trace.token_ids, generated.trace.text) == (whole.token_ids, whole.text)
    assert list(generated.trace.stamps_ns) == sorted(generated.trace.stamps_ns)
    assert generated.contention is not None


def test_a_pause_does_not_count(pool) -> None:
    worker = loaded(pool)
    slices = in_slices(worker, 8)
    next(slices)
    pool.rest()
    assert stops(pid_of(worker))
    time.sleep(1.0)
    _, generated = drained(slices)
    assert generated.trace.stamps_ns[-1] < 1e9
    assert generated.contention.wall_s < 1.0


def test_two_rounds_alternate(pool) -> None:
    first, second = loaded(pool, "first"), loaded(pool, "second")
    rounds = [in_slices(first, 4), in_slices(second, 4)]
    for again in (False, True, True):
        for worker, other, slices in ((first, second, rounds[0]), (second, first, rounds[1])):
            pool.focus(worker, again=again)
            assert stops(pid_of(other))
            next(slices)
    for slices in rounds:
        assert len(drained(slices)[1].trace.token_ids) == TOKENS


def test_an_engine_that_can_not_pause_has_a_single_slice(pool) -> None:
    worker = pool.open(variant("v", "scripted"))  # it notes its times itself
    worker.start()
    worker.load()
    assert drained(in_slices(worker, 1))[0] == 0


def test_a_server_s_round_is_not_cut(pool, brood: Path) -> None:
    """It would go on behind a reader that pauses."""
    hen = msgspec.structs.replace(variant("hen", "brood", work=1), base_dir=brood)
    worker = pool.open(hen)
    worker.start()
    worker.load()
    pauses, generated = drained(in_slices(worker, 1))
    assert (pauses, len(generated.trace.token_ids)) == (0, TOKENS)


@pytest.mark.parametrize("memory_pass", [False, True])
def test_a_whole_round_does_not_pause(pool, memory_pass: bool) -> None:
    worker = loaded(pool)
    generated = worker.generate(HELLO, FIRST_PARAMETERS, "a test", memory_pass=memory_pass)
    assert len(generated.trace.token_ids) == TOKENS


def test_a_round_that_is_given_up_ends_the_process(pool) -> None:
    worker = loaded(pool)
    slices = in_slices(worker, 4)
    next(slices)
    slices.close()
    assert worker.lost
    assert ends(pid_of(worker))


def test_so_does_an_interruption_between_two_slices(pool, monkeypatch) -> None:
    worker = loaded(pool)
    slices = in_slices(worker, 4)
    next(slices)
    monkeypatch.setattr(worker, "resume", lambda: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        next(slices)
    assert worker.lost


def test_one_that_never_began_may_be_given_up(pool) -> None:
    worker = loaded(pool)
    in_slices(worker, 4).close()
    assert not worker.lost
    assert worker.generate(HELLO, FIRST_PARAMETERS, "a test").trace.token_ids


def test_a_refusal_is_one_in_slices_too(pool) -> None:
    worker = loaded(pool, fail_on="deadly")
    with pytest.raises(CaseError, match="the script refuses"):
        next(in_slices(worker, 4, (Message(role="user", content="deadly"),)))
    assert not worker.lost


def test_who_dies_while_paused_says_so(pool) -> None:
    worker = loaded(pool)
    slices = in_slices(worker, 4)
    next(slices)
    psutil.Process(pid_of(worker)).kill()
    assert ends(pid_of(worker))
    with pytest.raises(WorkerCrashedError, match="before a test: it was killed by SIGKILL"):
        next(slices)


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """The session's clock, which stands still unless a test moves *at_s*."""
    clock = SimpleNamespace(at_s=0.0)
    clock.monotonic = lambda: clock.at_s
    monkeypatch.setattr(handle, "time", clock)
    return clock


def limited(pool: WorkerPool) -> Worker:
    worker = loaded(pool)
    worker.variant = msgspec.structs.replace(worker.variant, round_timeout_s=100.0)
    return worker


def test_the_time_limit_is_of_the_whole_round(pool, clock) -> None:
    worker = limited(pool)
    receive = worker._receive

    def receive_late(*args):
        clock.at_s += 40.0
        return receive(*args)

    worker._receive = receive_late
    with pytest.raises(WorkerTimeoutError, match=r"no answer within 100 s while a test"):
        drained(in_slices(worker, 1))
    assert worker.lost


def test_a_pause_is_none_of_the_time_limit(pool, clock) -> None:
    worker = limited(pool)
    slices = in_slices(worker, 4)
    next(slices)
    clock.at_s += 1000.0
    assert len(drained(slices)[1].trace.token_ids) == TOKENS
