"""A server of ours: started, waited for, looked at, stopped, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pytest_llmbench.engines.loopback import processes_listening
from pytest_llmbench.engines.openai import OpenAIEngine
from pytest_llmbench.engines.openai.serve import Server, answers, free_port
from pytest_llmbench.engines.protocol import Stamps
from pytest_llmbench.errors import CaseError, LoadError
from tests.engines import openai_server
from tests.engines.openai_server import ScriptedServer
from tests.engines.test_openai import GREEDY, QUESTION
from tests.support import ROOT

pytestmark = pytest.mark.engine("openai")

SCRIPT = str(Path(openai_server.__file__))
FAMILY = 4  # the server, its child, that one's child, and the one that left


def serve(*arguments: str) -> dict[str, object]:
    return {
        "model": "m",
        "profile": "other",
        "serve": ["{python}", SCRIPT, "{port}", *arguments],
        "serve_env": {"PYTHONPATH": str(ROOT)},
    }


def wait_until(true: Callable[[], object], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(true())


def alive(pids: tuple[int, ...]) -> list[int]:
    """Those of *pids* that run; a dead one that nobody has asked after does not."""
    return [pid for pid in pids if psutil.pid_exists(pid) and not _is_zombie(pid)]


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIEngine]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = OpenAIEngine()
    engine.start()
    yield engine
    engine.free()


def test_a_server_is_started_looked_at_and_stopped(engine: OpenAIEngine, tmp_path: Path) -> None:
    assert engine.processes() == ()
    facts = engine.load(serve(), tmp_path)
    assert facts.device == "server"
    pids = engine.processes()
    assert pids is not None
    assert wait_until(lambda: len(engine.processes() or ()) == FAMILY)
    pids = engine.processes() or ()
    assert os.getpid() not in pids
    engine.free()
    assert engine.processes() == ()
    assert alive(pids) == []
    assert list(tmp_path.iterdir()) == [], "what the server printed is left behind"


def test_a_server_that_does_not_listen_is_made_to_end(tmp_path: Path) -> None:
    port = free_port()
    command = (sys.executable, SCRIPT, str(port), "stubborn")
    server = Server(command, tmp_path, {"PYTHONPATH": str(ROOT)}, grace_s=0.2)
    server.wait(lambda: answers(f"http://127.0.0.1:{port}"), "here")
    pids = server.processes()
    assert pids
    server.stop()
    assert wait_until(lambda: not alive(pids))
    server.stop()


def test_a_server_that_ends_early_is_a_load_error_with_its_last_lines(
    engine: OpenAIEngine, tmp_path: Path
) -> None:
    words = "print('no such model'); raise SystemExit(7)"
    asked = {**serve(), "serve": ["{python}", "-c", words, "{port}"]}
    with pytest.raises(LoadError, match=r"ended before .*status 7 \(it last printed: no such mod"):
        engine.load(asked, tmp_path)
    assert engine.processes() == ()


def test_a_server_that_is_killed_early_says_so(engine: OpenAIEngine, tmp_path: Path) -> None:
    words = "import os; os.kill(os.getpid(), 11)"
    asked = {**serve(), "serve": ["{python}", "-c", words, "{port}"]}
    with pytest.raises(LoadError, match="killed by SIGSEGV"):
        engine.load(asked, tmp_path)


def test_no_such_program(engine: OpenAIEngine, tmp_path: Path) -> None:
    asked = {**serve(), "serve": ["no-such-server", "{port}"]}
    with pytest.raises(LoadError, match="no-such-server could not be started: No such file"):
        engine.load(asked, tmp_path)


def test_no_such_folder(engine: OpenAIEngine, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"could not be started in .*nowhere: No such file"):
        engine.load(serve(), tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_answers_already_is_refused(engine: OpenAIEngine, tmp_path: Path) -> None:
    with ScriptedServer({}) as other:
        asked = {"model": "m", "base_url": other.root, "serve": ["{python}", "-c", "pass"]}
        with pytest.raises(LoadError, match="one answers there already; stop that one"):
            engine.load(asked, tmp_path)


def test_a_server_that_dies_in_a_round_is_named_with_its_last_lines(
    engine: OpenAIEngine, tmp_path: Path
) -> None:
    engine.load(serve(), tmp_path)
    encoded = engine.encode(QUESTION, GREEDY)
    with pytest.raises(CaseError, match=r"broke after 0 pieces.*I can't go on"):
        engine.generate(encoded, GREEDY, Stamps(time.perf_counter_ns))


PARENT = """
import sys, time
from pathlib import Path
from pytest_llmbench.engines.loopback import processes_listening
from pytest_llmbench.engines.openai.serve import Server, answers
port = int(sys.argv[2])
server = Server((sys.executable, sys.argv[1], str(port)), Path.cwd(), {"PYTHONPATH": sys.argv[3]})
server.wait(lambda: answers(f"http://127.0.0.1:{port}"), "here")
while len(server.processes()) < 4:
    time.sleep(0.02)
print(server._supervisor.pid, *server.processes(), flush=True)
time.sleep(99)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere what left its family is not found")
@pytest.mark.parametrize("suspended", [False, True], ids=["running", "suspended"])
def test_nothing_outlives_a_worker_that_is_killed(suspended: bool) -> None:
    command = [sys.executable, "-c", PARENT, SCRIPT, str(free_port()), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = tuple(int(word) for word in parent.stdout.readline().split())
        assert len(pids) == FAMILY + 1
        if suspended:
            for pid in (parent.pid, *pids):
                os.kill(pid, signal.SIGSTOP)
        parent.kill()
        parent.wait()
    assert wait_until(lambda: not alive(pids)), f"left behind: {alive(pids)}"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells no child elsewhere")
def test_the_server_goes_with_its_supervisor(tmp_path: Path) -> None:
    port = free_port()
    server = Server((sys.executable, SCRIPT, str(port)), tmp_path, {"PYTHONPATH": str(ROOT)})
    server.wait(lambda: answers(f"http://127.0.0.1:{port}"), "here")
    pids = server.processes()
    server._supervisor.kill()
    assert wait_until(lambda: not answers(f"http://127.0.0.1:{port}"))
    for pid in alive(pids):
        psutil.Process(pid).kill()
    server.stop()


def test_the_processes_behind_a_port_of_this_machine() -> None:
    with ScriptedServer({}) as here:
        assert os.getpid() in (processes_listening(here.root) or ())
    assert processes_listening(f"http://127.0.0.1:{free_port()}") is None


def test_a_proxy_s_processes_are_not_the_server_s(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer({}) as here:
        monkeypatch.setattr(psutil.Process, "name", lambda self: "docker-proxy")
        assert processes_listening(here.root) is None
