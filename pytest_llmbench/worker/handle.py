"""The session's end of one worker: asks, waits no longer than allowed, and says what went wrong."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import execnet
import psutil

from pytest_llmbench import errors
from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import engine_entry
from pytest_llmbench.errors import EngineError, WorkerCrashedError, WorkerTimeoutError
from pytest_llmbench.worker import messages as say

R = TypeVar("R", say.Started, say.Loaded, say.Generated, say.Freed)

START_TIMEOUT_S: Final = 300.0
"""Seconds that importing an engine's libraries may take."""

_END_TIMEOUT_S: Final = 5.0
_LAST_LINES: Final = 3
_WINDOWS_CRASHES: Final = {0xC0000005: "access violation"}


def _boot(channel, log, parent):  # type: ignore[no-untyped-def]
    import os

    channel.send(os.getpid())
    from pytest_llmbench.worker.child import serve

    serve(channel, log, parent)


class Worker:
    """One variant's process.

    Args:
        variant: what it runs.
        group: the execnet group that the process belongs to.
        slowdown: planted regression, see :class:`.Stamps`.

    Attributes:
        warnings: the distinct warnings of Python and the engine so far.
        lost: whether its process was ended, by a failure, by an interruption or by closing.

    Every method that talks to the process raises :class:`.WorkerCrashedError` when it died and
    :class:`.WorkerTimeoutError` when it did not answer in time (it is killed then), and what an
    engine refused as the engine's :class:`.EngineError`.
    """

    def __init__(self, variant: Variant, group: execnet.Group, *, slowdown: float = 0.0) -> None:
        self.variant = variant
        self.warnings: tuple[str, ...] = ()
        self._slowdown = slowdown
        self.lost = False
        self._log = _new_log()
        self._printed = Path(self._log).open("rb")  # noqa: SIM115 — closed with the worker
        self._gateway: Any = group.makegateway("popen//execmodel=main_thread_only")
        self._channel: Any = self._gateway.remote_exec(_boot, log=self._log, parent=os.getpid())
        self._process: psutil.Process | None = None
        self._suspended = False

    def start(self) -> Mapping[str, str]:
        """Import the engine's libraries; return their versions."""
        self._process = psutil.Process(self._receive("starting", START_TIMEOUT_S))
        entry = engine_entry(self.variant.engine)
        request = say.Start(
            engine=self.variant.engine, libraries=entry.libraries, slowdown=self._slowdown
        )
        doing = f"importing the engine {self.variant.engine!r}"
        versions = self._ask(request, say.Started, doing, START_TIMEOUT_S).versions
        self._forget_log()
        return versions

    def load(self) -> say.Loaded:
        """Load the model and generate once, cold."""
        request = say.Load(options=self.variant.options, base_dir=str(self.variant.base_dir))
        loaded = self._ask(request, say.Loaded, "loading", self.variant.load_timeout_s)
        self.warnings = loaded.warnings
        return loaded

    def generate(
        self,
        messages: tuple[Message, ...],
        parameters: Parameters,
        doing: str,
        *,
        memory_pass: bool = False,
    ) -> say.Generated:
        """Generate one text; *doing* names it in errors."""
        request = say.Generate(messages=messages, parameters=parameters, memory_pass=memory_pass)
        generated = self._ask(request, say.Generated, doing, self.variant.round_timeout_s)
        self.warnings = generated.warnings
        return generated

    def free(self) -> say.Freed:
        """Release the model."""
        return self._ask(say.Free(), say.Freed, "freeing the model", self.variant.load_timeout_s)

    def suspend(self) -> None:
        """Stop the process: threads that spin while idle would starve the one being timed."""
        if self._process is not None and not self._suspended:
            with contextlib.suppress(psutil.Error):
                self._process.suspend()
                self._suspended = True

    def resume(self) -> None:
        """Let a suspended process go on."""
        if self._process is not None and self._suspended:
            with contextlib.suppress(psutil.Error):
                self._process.resume()
            self._suspended = False

    def close(self) -> None:
        """End the process, whatever it is doing. Never raises; may be called again."""
        if self._process is not None:
            for process in (*_children(self._process), self._process):
                with contextlib.suppress(psutil.Error):
                    process.kill()
            with contextlib.suppress(psutil.Error):
                self._process.wait(timeout=_END_TIMEOUT_S)
        with contextlib.suppress(OSError, EOFError):
            self._gateway.exit()
        self.lost = True
        self._printed.close()
        with contextlib.suppress(OSError):
            Path(self._log).unlink()

    def _forget_log(self) -> None:
        """Take the log's name away where an open file lives on without it: nothing is left."""
        if os.name == "posix":
            with contextlib.suppress(OSError):
                Path(self._log).unlink()

    def _ask(self, request: say.Request, answer: type[R], doing: str, timeout_s: float) -> R:
        if self.lost:
            raise WorkerCrashedError(
                f"variant {self.variant.id!r} has no process any more: it was ended before {doing}"
            )
        self.resume()
        try:
            self._channel.send(say.pack(request))
            data = self._receive(doing, timeout_s)
        except OSError:
            raise self._crashed(doing) from None
        except BaseException:
            self.close()  # an answer may still come, and would be taken for the next one's
            raise
        reply = say.unpack_reply(data)
        if isinstance(reply, say.Refused):
            raise _engine_error(reply)
        assert isinstance(reply, answer), f"{type(reply).__name__} is no answer to {doing}"
        return reply

    def _receive(self, doing: str, timeout_s: float) -> Any:
        try:
            return self._channel.receive(timeout=timeout_s)
        except self._channel.TimeoutError:
            message = (
                f"variant {self.variant.id!r} gave no answer within {timeout_s:g} s while {doing}, "
                f"and its process was killed; if it needs longer, raise "
                f"variants.{self.variant.id}.{_timeout_key(doing)}{self._last_words()}"
            )
            self.close()
            raise WorkerTimeoutError(message) from None
        except (EOFError, self._channel.RemoteError) as exc:
            raise self._crashed(doing) from exc

    def _crashed(self, doing: str) -> WorkerCrashedError:
        message = (
            f"variant {self.variant.id!r} lost its process while {doing}: "
            f"{self._cause_of_death()}{self._last_words()}"
        )
        self.close()
        return WorkerCrashedError(message)

    def _cause_of_death(self) -> str:
        if self._process is None:
            return "it ended before it was ready"
        try:
            status = self._process.wait(timeout=_END_TIMEOUT_S)
        except psutil.TimeoutExpired:
            return "it closed its channel"
        return _explain(status)

    def _last_words(self) -> str:
        """Return the last lines that the process printed, as the end of a sentence."""
        if self._printed.closed:
            return ""
        self._printed.seek(0)
        lines = self._printed.read().decode("utf-8", errors="replace").splitlines()
        last = [line.strip() for line in lines if line.strip()][-_LAST_LINES:]
        return f" (it last printed: {' | '.join(last)})" if last else ""


def _new_log() -> str:
    descriptor, path = tempfile.mkstemp(prefix="llmbench-", suffix=".log")
    os.close(descriptor)
    return path


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        children: list[psutil.Process] = process.children(recursive=True)
    except psutil.Error:
        return []
    return children


def _engine_error(reply: say.Refused) -> EngineError:
    kind: type[EngineError] = getattr(errors, reply.kind)
    return kind(reply.message)


def _timeout_key(doing: str) -> str:
    return "load_timeout_s" if doing == "loading" else "round_timeout_s"


def _explain(status: int | None) -> str:
    """Say how a process with this exit status ended; negative ones are signals."""
    if status is None:
        return "its exit status is unknown"
    if status >= 0:
        return _WINDOWS_CRASHES.get(status, f"it exited with status {status}")
    name = signal.Signals(-status).name
    hint = " (out of memory? the kernel kills with this signal)" if name == "SIGKILL" else ""
    return f"it was killed by {name}{hint}"
