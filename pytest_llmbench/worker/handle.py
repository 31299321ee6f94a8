"""The session's end of one worker: asks, waits no longer than allowed, and says what went wrong."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Collection, Generator, Mapping
from typing import Any, TypeVar

import execnet
import msgspec

from pytest_llmbench import errors
from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import ForcedPass, Position
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import engine_entry
from pytest_llmbench.errors import (
    EngineError,
    EngineNotInstalledError,
    WorkerCrashedError,
    WorkerTimeoutError,
)
from pytest_llmbench.worker import messages as say
from pytest_llmbench.worker.interpreter import check_interpreter
from pytest_llmbench.worker.launch import START_TIMEOUT_S, Launched, launch
from pytest_llmbench.worker.remote import FAILURES

R = TypeVar("R", bound=say.Reply)

_END_TIMEOUT_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A worker is up.

    Attributes:
        start_s: seconds from the start of the process to its libraries being imported.
        settings: versions of the libraries and, where it is not the session's, of the
            interpreter; of another host, its context: ``host kernel`` …
        identity: of another host, what has to match for results to be comparable:
            ``host processor`` …; empty on the session's.
    """

    start_s: float
    settings: Mapping[str, str]
    identity: Mapping[str, str]


class Worker:
    """One variant's process.

    Args:
        variant: what it runs.
        group: the execnet group that a process on this machine belongs to.
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
        self.lost = False
        self._slowdown = slowdown
        self._group = group
        self._launched: Launched | None = None
        self._suspended = False

    def start(self) -> Ready:
        """Start the process and import the engine's libraries.

        Raises:
            WorkerError: its interpreter or its host is no place for a worker; says what to type.
        """
        check_interpreter(self.variant)
        began = time.monotonic()
        self._launched = launch(self.variant, self._group)
        entry = engine_entry(self.variant.engine)
        request = say.Start(
            engine=self.variant.engine, libraries=entry.recorded, slowdown=self._slowdown
        )
        doing = f"importing the engine {self.variant.engine!r}"
        started = self._ask(request, say.Started, doing, START_TIMEOUT_S)
        start_s = time.monotonic() - began
        self._launched.process.settle(guarded=started.leaves_orphans)
        return _ready(self.variant, started, self._launched.keeping, start_s)

    def load(self) -> say.Loaded:
        """Load the model and generate once, cold.

        On another host relative paths start from the home folder, as those of scp do.
        """
        base_dir = "~" if self.variant.host is not None else str(self.variant.base_dir)
        request = say.Load(options=self.variant.options, base_dir=base_dir)
        loaded = self._ask(request, say.Loaded, "loading", self.variant.load_timeout_s)
        self.warnings = loaded.warnings
        return loaded

    def reallocate(self, doing: str) -> bool:
        """Let the engine's buffers lie elsewhere in memory; *doing* names it in errors.

        Returns:
            Whether it keeps any.
        """
        timeout_s = self.variant.round_timeout_s
        return self._ask(say.Reallocate(), say.Reallocated, doing, timeout_s).anything

    def generate(
        self,
        messages: tuple[Message, ...],
        parameters: Parameters,
        doing: str,
        *,
        memory_pass: bool = False,
    ) -> say.Generated:
        """Generate one text; *doing* names it in errors."""
        request = say.Generate(
            messages=messages, parameters=parameters, memory_pass=memory_pass, slice_tokens=None
        )
        generated = self._ask(request, say.Generated, doing, self.variant.round_timeout_s)
        self.warnings = generated.warnings
        return generated

    def generate_in_slices(
        self,
        messages: tuple[Message, ...],
        parameters: Parameters,
        doing: str,
        *,
        slice_tokens: int,
    ) -> Generator[None, None, say.Generated]:
        """Generate one text, timed; yield wherever it pauses.

        The first slice ends with the first token, every other one *slice_tokens* later. Rounds of
        engines that can't pause have a single slice. What yields may be suspended, and has to be
        asked for its next slice before anything else: a generator that is closed half-way ends
        the process.
        """
        request: say.Request = say.Generate(
            messages=messages, parameters=parameters, memory_pass=False, slice_tokens=slice_tokens
        )
        answers, limit_s, spent_s = (say.Generated, say.Paused), self.variant.round_timeout_s, 0.0
        try:
            while True:
                began = time.monotonic()
                reply = self._ask(request, answers, doing, limit_s, spent_s)
                if isinstance(reply, say.Generated):
                    self.warnings = reply.warnings
                    return reply
                spent_s += time.monotonic() - began
                yield
                request = say.GoOn()
        except errors.LlmbenchError:  # the round is over, or the process
            raise
        except BaseException:
            self.close()
            raise

    def force(
        self,
        messages: tuple[Message, ...],
        parameters: Parameters,
        continuation: tuple[int, ...],
        doing: str,
        *,
        like: ForcedPass | None = None,
        step: int | None = None,
    ) -> ForcedPass | None:
        """Return how probable *continuation* is; ``None`` where the engine can't tell.

        Args:
            messages: the prompt.
            parameters: how it is encoded.
            continuation: the tokens after it.
            doing: names it in errors.
            like: the reference's pass: the same tokens are asked about.
            step: tokens that are computed at once.
        """
        request = say.Force(
            messages=messages,
            parameters=parameters,
            continuation=continuation,
            step=step,
            like=like,
        )
        return self._ask(request, say.Forced, doing, self.variant.round_timeout_s).seen

    def top(
        self,
        messages: tuple[Message, ...],
        parameters: Parameters,
        continuation: tuple[int, ...],
        doing: str,
    ) -> tuple[Position, ...] | None:
        """Return the most probable tokens along the variant's own greedy text.

        ``None`` where the engine can't tell; *continuation* are the text's tokens, where they are
        known, and *doing* names it in errors.
        """
        request = say.Top(messages=messages, parameters=parameters, continuation=continuation)
        return self._ask(request, say.Topped, doing, self.variant.round_timeout_s).positions

    def weigh(
        self,
        messages: tuple[Message, ...],
        parameters: Parameters,
        choices: tuple[str, ...],
        doing: str,
    ) -> tuple[float, ...] | None:
        """Return the log-probability of each of *choices* as the answer, nats.

        ``None`` where the engine can't tell; *doing* names it in errors.
        """
        request = say.Weigh(messages=messages, parameters=parameters, choices=choices)
        return self._ask(request, say.Weighed, doing, self.variant.round_timeout_s).logprobs

    def free(self) -> say.Freed:
        """Release the model."""
        return self._ask(say.Free(), say.Freed, "freeing the model", self.variant.load_timeout_s)

    def suspend(self, *, again: bool = False) -> None:
        """Stop the process: threads that spin while idle would starve the one being timed.

        *again*: it was stopped before, and started no processes since.
        """
        if self._launched is not None and not self.lost and not self._suspended:
            self._launched.process.suspend(again=again)
            self._suspended = True

    def resume(self) -> None:
        """Let a suspended process go on."""
        if self._launched is not None and self._suspended:
            self._launched.process.resume()
            self._suspended = False

    def keep_on(self, processors: Collection[int]) -> None:
        """Let the process compute on these processors alone, where the system can have that."""
        if self._launched is not None and not self.lost:
            self._launched.process.keep_on(processors)

    def close(self) -> None:
        """End the process, whatever it is doing. Never raises; may be called again."""
        self.lost = True
        if self._launched is not None:
            self._launched.process.kill()
            with contextlib.suppress(*FAILURES):
                self._launched.gateway.exit()

    def _ask(
        self,
        request: say.Request,
        answer: type[R] | tuple[type[R], ...],
        doing: str,
        timeout_s: float,
        spent_s: float = 0.0,
    ) -> R:
        launched = self._alive(doing)
        self.resume()
        try:
            launched.channel.send(say.pack(request))
            reply = say.unpack_reply(self._receive(launched, doing, timeout_s, spent_s))
        except OSError as exc:
            raise self._crashed(launched, doing, exc) from None
        except msgspec.MsgspecError as exc:
            raise self._crashed(launched, doing, exc) from exc
        except BaseException:
            self.close()  # an answer may still come, and would be taken for the next one's
            raise
        if isinstance(reply, say.Refused):
            raise _engine_error(reply, self.variant)
        assert isinstance(reply, answer), f"{type(reply).__name__} is no answer to {doing}"
        return reply

    def _alive(self, doing: str) -> Launched:
        """Return what was launched, if it lives: what died while idle did not die of *doing*."""
        if self.lost or self._launched is None:
            raise WorkerCrashedError(
                f"variant {self.variant.id!r} has no process any more: it was ended before {doing}"
            )
        ending = self._launched.process.ended()
        if ending is None:
            return self._launched
        printed = _last_words(self._launched)
        self.close()
        raise WorkerCrashedError(
            f"variant {self.variant.id!r} lost its process while it was idle, before {doing}: "
            f"{ending}{printed}"
        )

    def _receive(self, launched: Launched, doing: str, timeout_s: float, spent_s: float) -> Any:
        try:
            return launched.channel.receive(timeout=max(0.0, timeout_s - spent_s))
        except launched.channel.TimeoutError:
            message = (
                f"variant {self.variant.id!r} gave no answer within {timeout_s:g} s while {doing}, "
                f"and its process was killed{self._advice(doing)}{_last_words(launched)}"
            )
            self.close()
            raise WorkerTimeoutError(message) from None
        except (EOFError, execnet.RemoteError) as exc:
            raise self._crashed(launched, doing, exc) from exc

    def _advice(self, doing: str) -> str:
        if doing.startswith("importing"):
            return ""
        key = "load_timeout_s" if doing in ("loading", "freeing the model") else "round_timeout_s"
        return f"; if it needs longer, raise variants.{self.variant.id}.{key}"

    def _crashed(self, launched: Launched, doing: str, exc: Exception) -> WorkerCrashedError:
        message = (
            f"variant {self.variant.id!r} lost its process while {doing}: "
            f"{_cause(launched, exc)}{_last_words(launched)}"
        )
        self.close()
        return WorkerCrashedError(message)


def _cause(launched: Launched, exc: Exception) -> str:
    """Say why no answer came: an error outside of the loop, or how the process ended."""
    if isinstance(exc, msgspec.MsgspecError):
        return f"its answer could not be understood ({exc})"
    error = exc if isinstance(exc, execnet.RemoteError) else _left_behind(launched.channel)
    if error is not None:
        return f"it failed with {str(error).strip().splitlines()[-1]}"
    return launched.process.ended(_END_TIMEOUT_S) or "it closed its channel"


def _left_behind(channel: Any) -> Exception | None:
    """Return the error with which the far side closed *channel*, if it did."""
    try:
        channel.waitclose(timeout=0)
    except execnet.RemoteError as exc:
        error: Exception = exc
        return error
    except (OSError, EOFError):
        return None
    return None


def _last_words(launched: Launched) -> str:
    """Return the last lines that the process printed, as the end of a sentence."""
    last = launched.process.last_lines()
    return f" (it last printed: {' | '.join(last)})" if last else ""


def _ready(
    variant: Variant, started: say.Started, keeping: say.Keeping | None, start_s: float
) -> Ready:
    settings = dict(started.versions)
    if variant.python is not None or variant.host is not None:
        settings["python"] = started.python
    if keeping is None:
        return Ready(start_s=start_s, settings=settings, identity={})
    context = {**keeping.context, "processors": str(keeping.processors)}
    settings |= {f"host {name}": value for name, value in context.items()}
    machine = {f"host {name}": value for name, value in keeping.machine.items()}
    return Ready(start_s=start_s, settings=settings, identity=machine)


def _engine_error(reply: say.Refused, variant: Variant) -> EngineError:
    """Return what the engine refused; what is not installed has to be where the variant runs."""
    kind: type[EngineError] = getattr(errors, reply.kind)
    place = ", ".join(
        f"{key} = {value!r}"
        for key, value in (("host", variant.host), ("python", variant.python))
        if value is not None
    )
    if kind is EngineNotInstalledError and place:
        return kind(f"{reply.message} (for {place})")
    return kind(reply.message)
