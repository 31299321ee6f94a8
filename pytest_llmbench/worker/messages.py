"""What crosses between the session and a worker: tagged structs as msgpack bytes.

Nothing crosses while tokens are being timed: the session asks once, the worker answers once. A
round that is cut into slices pauses between them; then the clock stands still.
What crosses to the keeper of another host, beside its worker, is at the end.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import ForcedPass, Position
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Contention, Life, Memory, Trace


class Channel(Protocol):
    """What the far side needs of execnet's channel: to send, to receive, and to be iterated."""

    def send(self, item: bytes) -> None:
        """Send bytes to the session."""

    def receive(self) -> bytes:
        """Wait for bytes from the session."""

    def __iter__(self) -> Channel: ...

    def __next__(self) -> bytes: ...


class _Said(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all messages."""


class Start(_Said, frozen=True, kw_only=True):
    """Import the engine's libraries and get ready. *slowdown* is a planted regression."""

    engine: str
    libraries: tuple[str, ...]
    slowdown: float


class Load(_Said, frozen=True, kw_only=True):
    """Load the model, then generate once, cold. *base_dir* may be ``~``, the home folder."""

    options: dict[str, object]
    base_dir: str


class Generate(_Said, frozen=True, kw_only=True):
    """Generate one text: timed with contention readings, or as a memory pass.

    A timed one is cut into slices of *slice_tokens* where that is not ``None``.
    """

    messages: tuple[Message, ...]
    parameters: Parameters
    memory_pass: bool
    slice_tokens: int | None


class Reallocate(_Said, frozen=True, kw_only=True):
    """Let buffers lie elsewhere in memory, if the engine keeps any."""


class GoOn(_Said, frozen=True, kw_only=True):
    """The next slice begins."""


class Force(_Said, frozen=True, kw_only=True):
    """Say how probable a given continuation is.

    Attributes:
        messages, parameters: of the prompt.
        continuation: tokens after it, n of them.
        step: tokens of it that are computed at once, or one more where so many are usual;
            ``None``: as usual, few enough for their logits to take little memory.
        like: the reference's pass. The tokens that it kept are asked about, and nothing is
            computed where prompt or continuation are other tokens; without it the most probable
            ones are kept.
    """

    messages: tuple[Message, ...]
    parameters: Parameters
    continuation: tuple[int, ...]
    step: int | None
    like: ForcedPass | None


class Top(_Said, frozen=True, kw_only=True):
    """Say which tokens are the most probable along a variant's own greedy text.

    *continuation* are the tokens of that text, where they are known.
    """

    messages: tuple[Message, ...]
    parameters: Parameters
    continuation: tuple[int, ...]


class Weigh(_Said, frozen=True, kw_only=True):
    """Say how probable each of several answers to a prompt is."""

    messages: tuple[Message, ...]
    parameters: Parameters
    choices: tuple[str, ...]


class Free(_Said, frozen=True, kw_only=True):
    """Release the model."""


class Started(_Said, frozen=True, kw_only=True):
    """The libraries are imported.

    Attributes:
        pid: the worker's process.
        python: implementation and version of its interpreter.
        versions: of the engine's libraries.
        leaves_orphans: whether something of it would live on if the session were killed: a
            server that the engine starts, or the worker where the kernel doesn't end it.
    """

    pid: int
    python: str
    versions: dict[str, str]
    leaves_orphans: bool


class Loaded(_Said, frozen=True, kw_only=True):
    """The model is ready."""

    facts: ModelFacts
    life: Life
    warnings: tuple[str, ...]


class Paused(_Said, frozen=True, kw_only=True):
    """A slice is over, and the round is not. What is understood next is :class:`GoOn`."""


class Reallocated(_Said, frozen=True, kw_only=True):
    """What is allocated beside the weights is new, or never lasts: then *anything* is false."""

    anything: bool


class Generated(_Said, frozen=True, kw_only=True):
    """One text; *memory* after a memory pass, *contention* after a timed round."""

    trace: Trace
    contention: Contention | None
    memory: Memory | None
    warnings: tuple[str, ...]


class Forced(_Said, frozen=True, kw_only=True):
    """How probable it is; ``None`` where the engine can't tell."""

    seen: ForcedPass | None


class Topped(_Said, frozen=True, kw_only=True):
    """The most probable tokens, place by place; ``None`` where the engine can't tell."""

    positions: tuple[Position, ...] | None


class Weighed(_Said, frozen=True, kw_only=True):
    """The log-probability of each answer, nats; ``None`` where the engine can't tell."""

    logprobs: tuple[float, ...] | None


class Freed(_Said, frozen=True, kw_only=True):
    """The model is gone; *life* is complete."""

    life: Life


class Refused(_Said, frozen=True, kw_only=True):
    """An engine said no. *kind* is the error's class name in :mod:`pytest_llmbench.errors`."""

    kind: str
    message: str


class Keeping(_Said, frozen=True, kw_only=True):
    """A keeper is up: where the worker is going to run.

    Attributes:
        pid: the keeper's process, the worker's parent.
        executable: its interpreter.
        log: file that takes what the worker prints.
        mark: what the worker's children are to carry.
        machine: the host's identity, see :func:`.host_environment`.
        context: its context, likewise.
        processors: how many it has.
    """

    pid: int
    executable: str
    log: str
    mark: str
    machine: dict[str, str]
    context: dict[str, str]
    processors: int


class Watch(_Said, frozen=True, kw_only=True):
    """The worker is process *pid*."""

    pid: int


class Suspend(_Said, frozen=True, kw_only=True):
    """Stop the worker and its children."""


class Resume(_Said, frozen=True, kw_only=True):
    """Let them go on."""


class Settle(_Said, frozen=True, kw_only=True):
    """The worker is up; *guarded*: its children have to be ended if the keeper is killed."""

    guarded: bool


class AskEnd(_Said, frozen=True, kw_only=True):
    """Say how the worker ended, if it does so within *wait_s* seconds."""

    wait_s: float


class Kill(_Said, frozen=True, kw_only=True):
    """End the worker and its children."""


class Told(_Said, frozen=True, kw_only=True):
    """A keeper's answer: how the worker ended, if it did, and the *lines* it last printed."""

    ending: str | None
    lines: tuple[str, ...]


Request = Start | Load | Reallocate | Generate | GoOn | Force | Top | Weigh | Free
Reply = (
    Started
    | Loaded
    | Reallocated
    | Paused
    | Generated
    | Forced
    | Topped
    | Weighed
    | Freed
    | Refused
)
Errand = Watch | Suspend | Resume | Settle | AskEnd | Kill

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)
_errands: msgspec.msgpack.Decoder[Errand] = msgspec.msgpack.Decoder(Errand)


def pack(message: Request | Reply | Errand | Keeping | Told) -> bytes:
    """Return *message* as bytes."""
    return _encoder.encode(message)


def unpack_request(data: bytes) -> Request:
    """Return the request in *data*."""
    return _requests.decode(data)


def unpack_reply(data: bytes) -> Reply:
    """Return the reply in *data*."""
    return _replies.decode(data)


def unpack_errand(data: bytes) -> Errand:
    """Return the errand in *data*."""
    return _errands.decode(data)


def unpack_keeping(data: bytes) -> Keeping:
    """Return a keeper's introduction."""
    return msgspec.msgpack.decode(data, type=Keeping)


def unpack_told(data: bytes) -> Told:
    """Return a keeper's answer."""
    return msgspec.msgpack.decode(data, type=Told)
