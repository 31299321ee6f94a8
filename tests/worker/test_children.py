"""An engine that starts a server: its processes rest, wake and end with the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.errors import WorkerCrashedError
from pytest_llmbench.worker import Worker, WorkerPool
from pytest_llmbench.worker.child import FIRST_PARAMETERS
from tests.support import variant
from tests.worker.conftest import ends, pid_of, stops

HELLO = (Message(role="user", content="hello"),)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


def loaded(pool: WorkerPool, folder: Path) -> Worker:
    worker = pool.open(msgspec.structs.replace(variant("hen", "brood"), base_dir=folder))
    worker.start()
    worker.load()
    return worker


def brood_in(folder: Path) -> list[int]:
    return [int(pid) for pid in (folder / "brood").read_text().split()]


def test_all_of_it_rests_and_wakes(pool: WorkerPool, brood: Path) -> None:
    worker = loaded(pool, brood)
    worker.suspend()
    assert stops(pid_of(worker), *brood_in(brood))
    assert worker.generate(HELLO, FIRST_PARAMETERS, "a test").trace.token_ids


def test_all_of_it_rests_again(pool: WorkerPool, brood: Path) -> None:
    worker = loaded(pool, brood)
    for again in (True, False, True):
        worker.suspend(again=again)
        assert stops(pid_of(worker), *brood_in(brood))
        worker.resume()
        assert worker.generate(HELLO, FIRST_PARAMETERS, "a test").trace.token_ids


def test_all_of_it_ends_with_the_worker(pool: WorkerPool, brood: Path) -> None:
    worker = loaded(pool, brood)
    worker.suspend()
    pool.end(worker)
    assert ends(pid_of(worker), *brood_in(brood))


def test_what_a_dead_worker_left_behind_ends_too(pool: WorkerPool, brood: Path) -> None:
    worker = loaded(pool, brood)
    os.kill(pid_of(worker), signal.SIGKILL)
    assert ends(pid_of(worker))
    with pytest.raises(WorkerCrashedError, match=r"while it was idle, before a test.*SIGKILL"):
        worker.generate(HELLO, FIRST_PARAMETERS, "a test")
    assert ends(*brood_in(brood))


def test_it_ends_when_the_worker_dies_of_a_prompt(pool: WorkerPool, brood: Path) -> None:
    mortal = variant("hen", "brood", kill_on="deadly")
    worker = pool.open(msgspec.structs.replace(mortal, base_dir=brood))
    worker.start()
    worker.load()
    deadly = (Message(role="user", content="deadly"),)
    with pytest.raises(WorkerCrashedError, match="while a test: it was killed by SIGKILL"):
        worker.generate(deadly, FIRST_PARAMETERS, "a test")
    assert ends(*brood_in(brood))


def test_no_warden_is_left_behind(pool: WorkerPool, brood: Path) -> None:
    worker = loaded(pool, brood)
    warden = worker._launched.process._warden
    assert warden is not None
    pool.end(worker)
    assert ends(warden.pid)


def test_an_engine_without_a_server_needs_no_warden(pool: WorkerPool) -> None:
    worker = pool.open(variant("v", "scripted"))
    worker.start()
    assert (worker._launched.process._warden is not None) == (sys.platform != "linux")


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_it_ends_with_a_session_that_is_killed(brood: Path, tmp_path: Path, stopped: bool) -> None:
    (tmp_path / "llmbench.toml").write_text(
        '[variants.hen]\nengine = "brood"\nhang_on = "?"\n[suites.exo-five]\n'
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--llmbench"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(brood)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    family = family_of(session, tmp_path / "brood")
    for process in family if stopped else []:
        process.suspend()
    session.kill()
    session.wait()
    assert ends(*(process.pid for process in family))


def family_of(session: subprocess.Popen[bytes], told: Path) -> list[psutil.Process]:
    """The worker and its server's processes, once the worker hangs on the first prompt."""
    deadline = time.monotonic() + 60
    while not told.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)  # the warden is up and the model loaded
    hen, chick = (psutil.Process(int(pid)) for pid in told.read_text().split())
    worker = hen.parent()
    assert worker is not None
    assert worker.ppid() == session.pid
    return [worker, hen, chick]
