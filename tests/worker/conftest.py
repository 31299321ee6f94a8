"""An engine that starts a server; a machine to reach through ssh."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_llmbench.engines import registry
from pytest_llmbench.worker import Worker

BROOD = '''
import subprocess, sys
from pathlib import Path
from pytest_llmbench.engines import EngineEntry
from pytest_llmbench.engines.scripted import ScriptedEngine

ENTRY = EngineEntry(module="brood", adapter="Brood", options="BroodOptions")
from pytest_llmbench.engines.scripted import ScriptedOptions as BroodOptions

CHICK = """
import sys, time
for line in sys.stdin:
    print(line.strip() + '!', flush=True)
time.sleep(600)  # a server does not end with who asks
"""
HEN = """
import subprocess, sys, time
chick = subprocess.Popen([sys.executable, '-c', %r], stdin=-1, stdout=-1, text=True)
print(chick.pid, flush=True)
for line in sys.stdin:
    chick.stdin.write(line); chick.stdin.flush()
    print(chick.stdout.readline().strip(), flush=True)
time.sleep(600)
""" % CHICK

class Brood(ScriptedEngine):
    "A scripted engine that asks a server, which asks a process of its own."

    def load(self, options, base_dir):
        own = dict(start_new_session=True, text=True)
        self._hen = subprocess.Popen([sys.executable, "-c", HEN], stdin=-1, stdout=-1, **own)
        self._pids = (self._hen.pid, int(self._hen.stdout.readline()))
        (Path(base_dir) / "brood").write_text(" ".join(map(str, self._pids)))
        return super().load(options, base_dir)

    def generate(self, encoded, parameters, stamps):
        self._hen.stdin.write("peep\\n")
        self._hen.stdin.flush()
        assert self._hen.stdout.readline() == "peep!\\n"
        return super().generate(encoded, parameters, stamps)

    def processes(self):
        return self._pids

    def reported_memory(self):
        return None
'''


@pytest.fixture
def brood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to import the engine ``brood`` from, which writes its server's process ids."""
    folder = tmp_path / "packages"
    (folder / "brood-1.0.dist-info").mkdir(parents=True)
    (folder / "brood.py").write_text(BROOD)
    (folder / "brood-1.0.dist-info" / "METADATA").write_text("Name: brood\nVersion: 1.0\n")
    points = "[pytest_llmbench.engines]\nbrood = brood:ENTRY\n"
    (folder / "brood-1.0.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(folder))
    registry.discovered.cache_clear()
    yield folder
    registry.discovered.cache_clear()


@pytest.fixture(scope="session")
def ssh_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A value of the key ``host``: this machine, through an ssh server of the test's own."""
    server = shutil.which("sshd") or "/usr/sbin/sshd"
    if not (Path(server).exists() and shutil.which("ssh") and shutil.which("ssh-keygen")):
        pytest.skip("no ssh server here (Debian: apt-get install openssh-server)")
    folder = tmp_path_factory.mktemp("ssh")
    port = _free_port()
    _write_ssh_files(folder, port)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with subprocess.Popen([server, "-D", "-f", folder / "sshd", "-E", folder / "log"]) as process:
        _wait_for(port)
        yield f"ssh=-F {folder}/ssh box"
        process.terminate()


def _write_ssh_files(folder: Path, port: int) -> None:
    for name in ("host_key", "key"):
        line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name]
        subprocess.run(line, check=True)
    (folder / "sshd").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/key.pub\nStrictModes no\nUsePAM no\n"
    )
    (folder / "ssh").write_text(
        f"Host box\n HostName 127.0.0.1\n Port {port}\n User {getpass.getuser()}\n"
        f" IdentityFile {folder}/key\n IdentitiesOnly yes\n"
        f" UserKnownHostsFile {folder}/known\n StrictHostKeyChecking accept-new\n"
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the ssh server did not start")


def pid_of(worker: Worker) -> int:
    return worker._launched.process.pid


def stops(*pids: int) -> bool:
    """Whether the processes are stopped, which the kernel does a moment after the signal."""
    return _soon(lambda: all(psutil.Process(p).status() == psutil.STATUS_STOPPED for p in pids))


def ends(*pids: int) -> bool:
    """Whether the processes end within a few seconds."""
    return _soon(lambda: not any(_lives(pid) for pid in pids))


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _soon(holds) -> bool:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False
