"""Where a variant's process begins: what it survives, what ends it, and where its prints go.

The session's Ctrl-C reaches this process too (it shares the terminal) and is ignored: the
session decides. If the session dies without a word, the kernel ends this process (Linux), or
execnet notices the closed pipe (elsewhere); a warden ends what these two leave.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

import psutil

from pytest_llmbench.worker import messages as say
from pytest_llmbench.worker.child import Loop
from pytest_llmbench.worker.print_log import forget, print_to
from pytest_llmbench.worker.warden import MARK

_PR_SET_PDEATHSIG: Final = 1


def serve(channel: say.Channel, log: str, parent: int, mark: str) -> None:
    """Answer requests until the session closes the channel.

    Args:
        channel: where requests come from.
        log: file that takes what the engine prints.
        parent: process id of the session, or of the keeper on another host.
        mark: what this process's children carry in their environment.
    """
    ends_with_parent = settle_in(log, parent, mark)

    def pause() -> None:
        channel.send(say.pack(say.Paused()))
        said = say.unpack_request(channel.receive())
        assert isinstance(said, say.GoOn), f"{type(said).__name__} in the middle of a round"

    loop = Loop(ends_with_parent=ends_with_parent, pause=pause)
    for data in channel:
        channel.send(say.pack(loop.answer(say.unpack_request(data))))


def settle_in(log: str, parent: int, mark: str) -> bool:
    """Print to *log*, carry *mark*, ignore Ctrl-C, and end with *parent*; return whether it will.

    Arguments are as of :func:`serve`.
    """
    ends_with_parent = _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ[MARK] = mark
    print_to(log)
    forget(log)
    return ends_with_parent


def _end_with(parent: int) -> bool:
    """Ask the kernel to end this process when *parent* ends, even while it is stopped.

    Returns whether it will: not elsewhere than on Linux, nor where a script that stands for the
    interpreter keeps running between the two.
    """
    if sys.platform != "linux":
        return False
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == parent:
        return True
    if parent not in (process.pid for process in psutil.Process().parents()):
        os._exit(1)  # it ended before the kernel was asked
    return False
