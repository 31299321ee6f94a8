"""The session's end of a worker on another host: ssh, a keeper there, and the worker beside it.

One ssh connection carries both. The keeper (:mod:`.keeper`) is the worker's parent and does with
its process what the session asks. When the connection is lost, everything that waits on it ends
with an answer: the variant has an error, the session goes on.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Collection
from typing import Any, Final

import execnet

from pytest_llmbench.errors import WorkerCrashedError
from pytest_llmbench.worker import messages as say
from pytest_llmbench.worker.print_log import PrintLog, forget
from pytest_llmbench.worker.ssh import remote_python, ssh_words

FAILURES: Final = (OSError, EOFError, AssertionError, execnet.RemoteError, execnet.HostNotFound)
"""What execnet raises where the other side is gone or was never there."""

_START_TIMEOUT_S: Final = 120.0
_ANSWER_TIMEOUT_S: Final = 30.0
_END_TIMEOUT_S: Final = 5.0


def _boot_keeper(channel):  # type: ignore[no-untyped-def]
    from pytest_llmbench.worker.keeper import keep

    keep(channel)


class RemoteProcess:
    """A worker's process on *host*, reached through its keeper.

    Args:
        host: what the key ``host`` says.
        python: what the key ``python`` says.

    Attributes:
        group: the execnet group in which :attr:`keeper` is the gateway to the keeper.
        keeping: what the keeper said of itself and its machine.
        pid: the worker's process id there, once it is told.

    Raises:
        WorkerCrashedError: the connection failed.
    """

    keeper: Final = "keeper"

    def __init__(self, host: str, python: str | None) -> None:
        self._host = host
        self._lost = False
        self._said = PrintLog()
        self.group = execnet.Group(execmodel="thread")
        self._channel: Any = None
        self.pid: int | None = None
        try:
            gateway: Any = self.group.makegateway(self._spec(python))
            self._channel = gateway.remote_exec(_boot_keeper)
            self.keeping = say.unpack_keeping(self._channel.receive(timeout=_START_TIMEOUT_S))
            forget(self._said.path)
        except FAILURES as exc:
            problem = f"host = {host!r}: the connection failed{self._ssh_said()}"
            self.kill()
            raise WorkerCrashedError(problem) from exc
        except BaseException:
            self.kill()
            raise

    def watch(self, pid: int) -> None:
        """Tell the keeper which of its processes is the worker."""
        self.pid = pid
        self._ask(say.Watch(pid=pid))

    def suspend(self, *, again: bool = False) -> None:  # noqa: ARG002 — looked for in any case
        """Have it stopped."""
        self._ask(say.Suspend())

    def resume(self) -> None:
        """Have it go on."""
        self._ask(say.Resume())

    def keep_on(self, processors: Collection[int]) -> None:
        """Nothing: those are another machine's."""

    def settle(self, *, guarded: bool) -> None:
        """Have it settled, its children guarded there."""
        self._ask(say.Settle(guarded=guarded))

    def ended(self, wait_s: float = 0.0) -> str | None:
        """Return how it ended; a lost connection is an end too."""
        told = self._ask(say.AskEnd(wait_s=wait_s), wait_s)
        if told is None:
            return f"the connection to host = {self._host!r} was lost{self._ssh_said()}"
        return told.ending

    def last_lines(self) -> tuple[str, ...]:
        """Return what it last printed; nothing where the connection is lost."""
        told = self._ask(say.AskEnd(wait_s=0.0))
        return () if told is None else told.lines

    def kill(self) -> None:
        """Have it ended, then end the keeper and the connection."""
        if self._channel is not None:
            self._ask(say.Kill())
        self._disconnect()
        self._said.close()

    def _spec(self, python: str | None) -> execnet.XSpec:
        spec = execnet.XSpec(f"ssh//execmodel=thread//id={self.keeper}")
        spec.ssh = " ".join((*ssh_words(self._host), *self._own_log()))
        spec.python = f"{remote_python(python)} -P"
        return spec

    def _own_log(self) -> tuple[str, ...]:
        """Return the option that keeps ssh's own words for us; execnet splits at spaces."""
        return () if " " in self._said.path else ("-E", self._said.path)

    def _ask(self, errand: say.Errand, wait_s: float = 0.0) -> say.Told | None:
        """Return the keeper's answer, or ``None`` where the connection is lost."""
        if self._lost:
            return None
        try:
            self._channel.send(say.pack(errand))
            return say.unpack_told(self._channel.receive(timeout=wait_s + _ANSWER_TIMEOUT_S))
        except FAILURES:
            self._lost = True  # after a time-out, an answer may come that belongs to nothing
            return None
        except BaseException:
            self._lost = True  # so after an interruption
            raise

    def _ssh_said(self) -> str:
        lines = self._said.last_lines()
        return f" (ssh said: {' | '.join(lines)})" if lines else ""

    def _disconnect(self) -> None:
        """End the ssh client, then let go of what it carried; execnet would wait for answers."""
        gateways = {gateway.id: gateway for gateway in self.group}
        keeper = gateways.pop(self.keeper, None)
        if keeper is not None:
            ssh: subprocess.Popen[bytes] = keeper._io.popen  # noqa: SLF001 — the only way to it
            keeper.exit()
            with contextlib.suppress(subprocess.TimeoutExpired):
                ssh.wait(timeout=0.0 if self._lost else _END_TIMEOUT_S)
            ssh.kill()
            ssh.wait()
        for gateway in gateways.values():
            with contextlib.suppress(*FAILURES):
                gateway.exit()
