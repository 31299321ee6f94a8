"""A worker on another host: this machine, reached through an ssh server of the test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from pytest_llmbench.config import load_config
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import WorkerCrashedError, WorkerError, WorkerTimeoutError
from pytest_llmbench.probes.environment import host_environment
from pytest_llmbench.worker import Worker, WorkerPool
from pytest_llmbench.worker.child import FIRST_PARAMETERS
from tests.support import bench_for, variant
from tests.worker.conftest import ends, pid_of, stops


def on(host: str, **options: object):
    there = variant("there", "scripted", **options)
    return msgspec.structs.replace(there, host=host, python=sys.executable)


def say(worker: Worker, text: str = "hello"):
    return worker.generate((Message(role="user", content=text),), FIRST_PARAMETERS, "a test")


def keeper_of(worker: Worker) -> int:
    return worker._launched.keeping.pid


def cut(worker: Worker) -> None:
    """End the ssh client of *worker*: what it is when the network is gone."""
    worker._launched.process.group[0]._io.popen.kill()


@pytest.fixture
def worker(pool: WorkerPool, ssh_host: str) -> Worker:
    worker = pool.open(on(ssh_host))
    worker.start()
    worker.load()
    return worker


def test_it_measures_and_says_where(pool: WorkerPool, ssh_host: str) -> None:
    worker = pool.open(on(ssh_host))
    ready = worker.start()
    machine = host_environment(nvml=None, folder=None).identity
    assert ready.identity == {f"host {name}": value for name, value in machine.items()}
    assert ready.settings["host processors"] == str(os.cpu_count())
    assert ready.settings["python"].endswith(sys.version.split()[0])
    assert worker.load().life.after_load.host.rss > 0
    assert say(worker).contention is not None
    assert worker.free().life.free_s is not None


def test_it_is_a_child_of_its_keeper(worker: Worker) -> None:
    assert psutil.Process(pid_of(worker)).ppid() == keeper_of(worker)


def test_it_rests_and_wakes(worker: Worker) -> None:
    worker.suspend()
    assert stops(pid_of(worker))
    assert say(worker).trace.token_ids


def test_nothing_is_left_on_the_host(worker: Worker, pool: WorkerPool, tmp_path: Path) -> None:
    pids = (pid_of(worker), keeper_of(worker))
    log = worker._launched.keeping.log
    worker.suspend()
    pool.close()
    assert ends(*pids)
    assert not Path(log).exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_how_it_died_and_what_it_printed_is_known(
    pool: WorkerPool, ssh_host: str, number: signal.Signals
) -> None:
    worker = pool.open(on(ssh_host, kill_on="deadly", kill_signal=int(number)))
    worker.start()
    worker.load()
    pids = (pid_of(worker), keeper_of(worker))
    said = rf"while a test: it was killed by {number.name}.*last printed: the script dies"
    with pytest.raises(WorkerCrashedError, match=said):
        say(worker, "deadly")
    assert ends(*pids)


def test_one_that_hangs_is_killed(pool: WorkerPool, ssh_host: str) -> None:
    slow = msgspec.structs.replace(on(ssh_host, hang_on="riddle"), round_timeout_s=0.5)
    worker = pool.open(slow)
    worker.start()
    worker.load()
    pids = (pid_of(worker), keeper_of(worker))
    with pytest.raises(WorkerTimeoutError, match=r"0\.5 s while a test.*there\.round_timeout_s"):
        say(worker, "riddle")
    assert ends(*pids)


def test_one_that_died_while_idle_is_blamed_rightly(worker: Worker) -> None:
    worker.suspend()
    os.kill(pid_of(worker), signal.SIGKILL)
    assert ends(pid_of(worker))
    with pytest.raises(WorkerCrashedError, match=r"while it was idle, before a test: .*SIGKILL"):
        say(worker)


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_a_lost_connection_is_an_error_and_leaves_nothing(worker: Worker, stopped: bool) -> None:
    pids = (pid_of(worker), keeper_of(worker))
    if stopped:
        worker.suspend()
        assert stops(pid_of(worker))
    cut(worker)
    with pytest.raises(WorkerCrashedError, match=r"the connection to host = 'ssh=.*' was lost"):
        say(worker)
    assert ends(*pids)


def test_a_connection_that_is_lost_while_generating(pool: WorkerPool, ssh_host: str) -> None:
    worker = pool.open(on(ssh_host, hang_on="riddle"))
    worker.start()
    worker.load()
    pids = (pid_of(worker), keeper_of(worker))
    timer = threading.Timer(0.5, cut, [worker])
    timer.start()
    with pytest.raises(WorkerCrashedError, match=r"while a test: the connection .* was lost"):
        say(worker, "riddle")
    timer.join()
    assert ends(*pids)


def test_a_keeper_that_dies_takes_the_worker_along(worker: Worker) -> None:
    worker.suspend()
    os.kill(keeper_of(worker), signal.SIGKILL)
    assert ends(pid_of(worker))
    with pytest.raises(WorkerCrashedError, match="the connection to host"):
        say(worker)


def test_it_costs_its_own_variant_only(ssh_host: str, tmp_path: Path) -> None:
    (tmp_path / "llmbench.toml").write_text(
        f'[variants.here]\nengine = "scripted"\n[variants.there]\nengine = "scripted"\n'
        f'python = "{sys.executable}"\nhost = "{ssh_host}"\n[suites.exo-five]\nrounds = 2\n'
    )
    bench, cases = bench_for(load_config(tmp_path / "llmbench.toml", engine_options()))
    try:
        assert bench.measure(cases["there"][0]).error is None
        assert bench.measure(cases["here"][0]).error is None
        assert "host processor" in bench.variants["there"].facts.identity
        assert "host processor" not in bench.variants["here"].facts.identity
        assert bench.variants["there"].facts.host_processors == os.cpu_count()
        assert bench.variants["here"].facts.host_processors is None
        cut(bench.lives.ready("there").worker)
        assert "was lost" in str(bench.measure(cases["there"][1]).error)
        later = str(bench.measure(cases["there"][2]).error)
        assert later.startswith("not run, because earlier variant 'there' lost its process while")
        assert bench.measure(cases["here"][1]).error is None
    finally:
        bench.close()


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_it_ends_with_a_session_that_is_killed(
    ssh_host: str, tmp_path: Path, stopped: bool
) -> None:
    (tmp_path / "llmbench.toml").write_text(
        '[variants.there]\nengine = "scripted"\nhang_on = "?"\n'
        f'python = "{sys.executable}"\nhost = "{ssh_host}"\n[suites.exo-five]\n'
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    before = set(workers())
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--llmbench"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while len(set(workers()) - before) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(2)  # the model is loaded; what a process was for a moment before it ran is gone
    found = set(workers()) - before
    worker = max(found, key=lambda process: process.create_time())
    assert len(found) == 2
    assert worker.parent() in found
    if stopped:
        worker.suspend()
    session.kill()
    session.wait()
    assert ends(*(process.pid for process in found))


def workers() -> list[psutil.Process]:
    """The keeper and the worker that run below the ssh server of the tests."""
    found = []
    for process in psutil.process_iter():
        try:
            below = any(parent.name() == "sshd" for parent in process.parents())
            if below and "sys.stdin.readline" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_host_that_can_t_be_reached_says_so(pool: WorkerPool, ssh_host: str) -> None:
    worker = pool.open(on(ssh_host.replace(" box", " -p 1 box")))
    with pytest.raises(WorkerError, match=r"can't be reached .*Connection refused.*ssh -oBatch"):
        worker.start()


def test_an_interpreter_that_is_not_there_says_so(pool: WorkerPool, ssh_host: str) -> None:
    absent = msgspec.structs.replace(on(ssh_host), python="~/no/such python")
    with pytest.raises(WorkerError, match=r"there is no ~/'no/such python' on 'ssh="):
        pool.open(absent).start()
