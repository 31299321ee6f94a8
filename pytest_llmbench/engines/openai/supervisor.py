"""Runs a server as its only child, and takes the whole of it down when the worker goes.

A script of its own, ``supervisor.py PARENT GRACE COMMAND …``, between a worker and the server that
it starts: a worker that is killed can't stop anything, and what a server has started (workers of
its own, say) would live on. The supervisor holds the other end of the worker's pipe as its
standard input. When that closes, for whatever reason, every process below the supervisor is asked
to end and, after GRACE seconds, made to. It ends with the server's own status, or with 128 and the
number of the signal that ended the server, as shells have it.

On Linux it becomes the parent of what is orphaned below it; the kernel wakes it (an idle variant
is suspended, its supervisor too) when the worker dies, and kills the server if the supervisor is
killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

import psutil

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_POLL_S: Final = 0.02


def main(parent: int, grace_s: float, command: list[str]) -> int:
    """Run *command* until it ends or the pipe to *parent* closes; return its exit status."""
    prctl = _prctl()
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    prctl(_PR_SET_PDEATHSIG, int(getattr(signal, "SIGCONT", 0)))
    if os.name == "posix" and os.getppid() != parent:
        return 1
    try:
        server = _start(command, prctl)
    except OSError as exc:
        sys.stderr.write(f"{command[0]} could not be started: {exc.strerror}\n")
        return 127
    threading.Thread(target=_end_with_pipe, args=(server, grace_s), daemon=True).start()
    status = server.wait()
    _end_the_rest(grace_s)
    return status if status >= 0 else 128 - status


def _start(command: list[str], prctl: Callable[[int, int], None]) -> subprocess.Popen[bytes]:
    kill = int(getattr(signal, "SIGKILL", 0))
    dies_with_us = (lambda: prctl(_PR_SET_PDEATHSIG, kill)) if sys.platform == "linux" else None
    return subprocess.Popen(  # noqa: S603 — the user's own command
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=dies_with_us,  # noqa: PLW1509 — there is one thread yet
    )


def _end_with_pipe(server: subprocess.Popen[bytes], grace_s: float) -> None:
    while os.read(0, 1):
        pass
    with contextlib.suppress(OSError):
        server.terminate()
    for process in _below():  # a suspended process would not hear of it
        with contextlib.suppress(psutil.Error):
            process.resume()
    deadline = time.monotonic() + grace_s
    while server.returncode is None and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if server.returncode is None:
        with contextlib.suppress(OSError):
            server.kill()


def _end_the_rest(grace_s: float) -> None:
    """End what the server left behind; on Linux nothing escapes by losing its parent."""
    left = _below()
    for process in left:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(left, timeout=grace_s)
    for process in {*alive, *_below()}:
        with contextlib.suppress(psutil.Error):
            process.kill()


def _below() -> list[psutil.Process]:
    return list(psutil.Process().children(recursive=True))


def _prctl() -> Callable[[int, int], None]:
    """Return the kernel call, looked up before any fork; it does nothing elsewhere."""
    if sys.platform != "linux":
        return lambda _option, _value: None
    library = ctypes.CDLL(None, use_errno=True)

    def call(option: int, value: int) -> None:
        library.prctl(option, value, 0, 0, 0)

    return call


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
