"""Code of a model's that means harm does none; code that computes is told right from wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_llmbench.domain.code_limits import CodeLimits
from pytest_llmbench.errors import ScoringError
from pytest_llmbench.worker import sandbox
from pytest_llmbench.worker.sandbox import check_sandbox, run_code

pytestmark = pytest.mark.engine("code")

LIMITS = CodeLimits(time_s=5.0, memory_bytes=256 * 2**20)


def why(code: str, test: str = "", limits: CodeLimits = LIMITS) -> str:
    ran = run_code(code, test, limits)
    assert not ran.passed, f"it ran to its end: {code}"
    assert ran.why is not None
    return ran.why


def test_what_computes_passes_or_fails_by_its_test() -> None:
    code = "import math\ndef area(r):\n    return math.pi * r * r\n"
    assert run_code(code, "assert round(area(2)) == 13", LIMITS) == (True, None)
    assert why(code, "assert area(2) == 13") == "AssertionError"
    assert why("def f(:", "").startswith("SyntaxError")
    assert why("raise SystemExit(0)") == "SystemExit: 0"


@pytest.mark.parametrize(
    "module",
    ["asyncio", "collections", "datetime", "decimal", "hashlib", "itertools", "json", "random",
     "re", "sqlite3", "statistics", "threading", "typing", "zoneinfo"],
)  # fmt: skip
def test_the_standard_library_is_there(module: str) -> None:
    assert run_code(f"import {module}", "", LIMITS).passed


def test_event_loops_work_and_so_does_what_looks_for_its_module() -> None:
    kept = "import pickle\nclass A: pass\n"
    assert run_code(kept, "assert type(pickle.loads(pickle.dumps(A()))) is A", LIMITS).passed
    zone = "from zoneinfo import ZoneInfo"
    assert run_code(zone, "ZoneInfo('Europe/Berlin')", LIMITS).passed
    order = "import sys\norder = str(set('abcdefgh'))"
    orders = {run_code(order, "raise ValueError(order)", LIMITS).why for _ in range(3)}
    assert len(orders) == 1, "sets have one order"
    loop = "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 3\n"
    assert run_code(loop, "assert asyncio.run(f()) == 3", LIMITS).passed


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file that must neither be read nor changed."""
    path = tmp_path / "secret.txt"
    path.write_text("s3cret")
    path.chmod(0o666)
    return path


def test_no_file_is_read_or_written(victim: Path) -> None:
    new = victim.with_name("new.txt")
    for code in (
        f"open({str(victim)!r}).read()",
        f"open({str(victim)!r}, 'w')",
        f"import os; os.open({str(victim)!r}, os.O_RDONLY | os.O_TRUNC)",
        f"import os; os.truncate({str(victim)!r}, 0)",
        f"import os; os.remove({str(victim)!r})",
        f"import os; os.rename({str(victim)!r}, {str(new)!r})",
        f"import os; os.chmod({str(victim)!r}, 0)",
        f"import os; os.symlink('/', {str(new)!r})",
        f"import os; os.link({str(victim)!r}, {str(new)!r})",
        f"import os; os.mkdir({str(new)!r})",
        f"open({str(new)!r}, 'w').write('x')",
        "open('/dev/shm/llmbench-x', 'w')",
        "open('/etc/passwd').read()",
        "open('/proc/self/environ').read()",
        f"open('/proc/{os.getpid()}/environ').read()",
        "import os; os.listdir('/')",
        "import os; os.memfd_create('x')",
        "import os; os.mkfifo('/tmp/llmbench-fifo')",
        "import os; os.chroot('/')",
    ):
        assert why(code).startswith(("PermissionError", "FileNotFoundError")), code
    assert victim.read_text() == "s3cret"
    assert victim.stat().st_mode & 0o777 == 0o666
    assert not new.exists()
    assert not new.is_symlink()


@pytest.fixture
def listener() -> Iterator[tuple[int, list[tuple[socket.socket, object]]]]:
    """A server on loopback, and who connected to it."""
    met: list[tuple[socket.socket, object]] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def accept() -> None:
            while not stop.is_set():
                try:
                    met.append(server.accept())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], met
        stop.set()
        thread.join()
        for connection, _ in met:
            connection.close()


def test_no_connection_is_made(listener: tuple[int, list[object]]) -> None:
    port, met = listener
    for code in (
        f"import socket; socket.create_connection(('127.0.0.1', {port}), 1)",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "import socket; socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'x', '/run/x')",
        "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
        f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}', timeout=1)",
    ):
        assert "Operation not permitted" in why(code), code
    time.sleep(0.2)
    assert met == []
    with socket.create_connection(("127.0.0.1", port)):
        time.sleep(0.3)
    assert met, "the listener would have seen one"


def test_no_other_process_is_made_or_touched() -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        for code in (
            "import os; os.fork()",
            "import os; os.forkpty()",
            "import os; os.posix_spawn('/bin/true', ['true'], {})",
            "import os; os.execv('/bin/true', ['true'])",
            "import subprocess; subprocess.run(['true'])",
            "import multiprocessing as m; p = m.Process(target=print); p.start()",
            f"import os; os.kill({bystander.pid}, 9)",
            "import os; os.kill(-1, 9)",
            f"import os; os.killpg({os.getpgrp()}, 15)",
            f"import os; os.setpriority(os.PRIO_PROCESS, {bystander.pid}, 19)",
            f"import os; os.pidfd_open({bystander.pid})",
            f"import resource; resource.prlimit({bystander.pid}, resource.RLIMIT_CPU, (1, 1))",
            f"import os; os.sched_setaffinity({bystander.pid}, [0])",
            f"import fcntl, socket; fcntl.fcntl(socket.socketpair()[0], 8, {bystander.pid})",
            "import fcntl; fcntl.fcntl(open('/dev/null'), 1024, 1)",
            "import fcntl; fcntl.flock(open('/dev/null'), fcntl.LOCK_EX)",
            "import socket; socket.socketpair(socket.AF_INET)",
        ):
            assert why(code).startswith(("PermissionError", "OSError")), code
        assert bystander.poll() is None
        code = f"import ctypes; r = ctypes.CDLL(None).ptrace(16, {bystander.pid}, 0, 0)"
        assert run_code(code, "assert r == -1", LIMITS).passed
    finally:
        bystander.kill()
        bystander.wait()


def test_limits_can_t_be_lifted_from_within() -> None:
    lift = "import resource as r; r.setrlimit(r.RLIMIT_{0}, (r.RLIM_INFINITY, r.RLIM_INFINITY))"
    for name in ("AS", "CPU", "FSIZE", "NOFILE"):
        assert why(lift.format(name)).startswith(("ValueError", "PermissionError")), name
    assert run_code("import resource", "resource.getrlimit(resource.RLIMIT_AS)", LIMITS).passed


def test_time_and_memory_end() -> None:
    began = time.monotonic()
    short = CodeLimits(time_s=1.0, memory_bytes=LIMITS.memory_bytes)
    assert why("while True: pass", limits=short) == "it took longer than 1 s"
    assert why("import time; time.sleep(60)", limits=short) == "it took longer than 1 s"
    stubborn = "import signal\nfor n in (2, 15, 24):\n    signal.signal(n, signal.SIG_IGN)\n"
    ended = why(stubborn + "while True: pass", limits=short)
    assert ended.startswith(("it ended without an answer", "it took longer than 1 s"))
    assert time.monotonic() - began < 60
    assert why("x = bytearray(10 ** 9)") == "MemoryError"
    assert why("x = []\nwhile True: x.append(bytearray(10 ** 6))") == "MemoryError"
    assert why("import threading as t; t.Thread(target=print).start()").startswith("RuntimeError")
    bomb = "import ctypes; r = ctypes.CDLL(None).syscall(56, 0x50f00, 0, 0, 0, 0)"
    assert run_code(bomb, "assert r == -1", LIMITS).passed, "clone, as x86-64 numbers it"


def test_nothing_is_left_running() -> None:
    short = CodeLimits(time_s=0.5, memory_bytes=LIMITS.memory_bytes)
    run_code("while True: pass", "", short)
    assert not _running()


WRITES = "import os\nfor fd in range(64):\n  try: os.write(fd, {0})\n  except OSError: pass\n"


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(0)",
        "import ctypes; ctypes.string_at(0)",
        "import os; os.abort()",
        "import sys; sys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()",
        WRITES.format('b\'{"shut_in": true, "passed": true}\\n\'') + "os._exit(0)",
        WRITES.format('b\'{"shut_in": false, "why": "send money"}\\n\'') + "os._exit(0)",
        WRITES.format("b'[' * 60000 + b'\\n'") + "os._exit(0)",
        WRITES.format("b'[]'") + "os._exit(0)",
        WRITES.format("b'x' * 2 ** 20"),
        "import os; os.closerange(0, 64)",
    ],
)
def test_a_crash_or_a_lie_is_no_pass(code: str) -> None:
    assert "money" not in why(code)


def test_another_exec_does_not_spare_the_test() -> None:
    assert why("import builtins\nbuiltins.exec = lambda *_: None", "assert False")


def test_output_goes_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_code(
        "import sys\nprint('x' * 10**6)\nprint('y', file=sys.stderr)", "", LIMITS
    ).passed
    assert why("input()").startswith("EOFError")
    assert capfd.readouterr() == ("", "")


def test_environment_and_secrets_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "s3cret")
    assert run_code("import os", "assert 'API_KEY' not in os.environ", LIMITS).passed


def test_root_has_no_more_rights_than_others() -> None:
    told = """
from pytest_llmbench.worker import sandboxed
sandboxed._no_capabilities()
print(open("/proc/self/status").read())
"""
    status = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True).stdout
    kept = [line.split() for line in status.splitlines() if line.startswith(("CapEff", "CapPrm"))]
    assert [int(mask, 16) for _, mask in kept] == [0, 0]


def test_where_nothing_shuts_in_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    check_sandbox(LIMITS)
    monkeypatch.setattr(sandbox.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ScoringError, match=r"pip install 'pytest-llmbench\[code\]'"):
        run_code("1", "", LIMITS)
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    with pytest.raises(ScoringError, match=r"takes Linux 6\.2"):
        run_code("1", "", LIMITS)


def test_a_kernel_that_says_no_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "old.py"
    text = Path(sandbox.__file__).with_name("sandboxed.py").read_text()
    script.write_text(text.replace("_LEAST_LANDLOCK: Final = 3", "_LEAST_LANDLOCK: Final = 99"))
    monkeypatch.setattr(sandbox, "_SCRIPT", script)
    with pytest.raises(
        ScoringError, match=r"none is run: OSError: .*Landlock is missing or too old"
    ):
        check_sandbox(LIMITS)


FOR_EVER = """
from pytest_llmbench.worker.sandbox import CodeLimits, run_code
run_code("while True: pass", "", CodeLimits(time_s=60, memory_bytes=2**28))
"""


def test_it_ends_with_its_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", FOR_EVER])
    try:
        deadline = time.monotonic() + 20
        while not _running() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _running()
        time.sleep(0.5)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 5
    while _running() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _running()


def _running() -> bool:
    lines = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return any(part.endswith("sandboxed.py") for line in lines for part in line)
