"""What crosses between the session and a worker: tagged structs as msgpack bytes.

Nothing crosses while tokens are being timed: the session asks once, the worker answers once.
"""

from __future__ import annotations

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Contention, Life, Memory, Trace


class _Said(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all messages."""


class Start(_Said, frozen=True, kw_only=True):
    """Import the engine's libraries and get ready. *slowdown* is a planted regression."""

    engine: str
    libraries: tuple[str, ...]
    slowdown: float


class Load(_Said, frozen=True, kw_only=True):
    """Load the model, then generate once, cold."""

    options: dict[str, object]
    base_dir: str


class Generate(_Said, frozen=True, kw_only=True):
    """Generate one text: timed with contention readings, or as a memory pass."""

    messages: tuple[Message, ...]
    parameters: Parameters
    memory_pass: bool


class Free(_Said, frozen=True, kw_only=True):
    """Release the model."""


class Started(_Said, frozen=True, kw_only=True):
    """The libraries are imported; *pid* is the worker's process."""

    pid: int
    versions: dict[str, str]


class Loaded(_Said, frozen=True, kw_only=True):
    """The model is ready."""

    facts: ModelFacts
    life: Life
    warnings: tuple[str, ...]


class Generated(_Said, frozen=True, kw_only=True):
    """One text; *memory* after a memory pass, *contention* after a timed round."""

    trace: Trace
    contention: Contention | None
    memory: Memory | None
    warnings: tuple[str, ...]


class Freed(_Said, frozen=True, kw_only=True):
    """The model is gone; *life* is complete."""

    life: Life


class Refused(_Said, frozen=True, kw_only=True):
    """An engine said no. *kind* is the error's class name in :mod:`pytest_llmbench.errors`."""

    kind: str
    message: str


Request = Start | Load | Generate | Free
Reply = Started | Loaded | Generated | Freed | Refused

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_replies: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def pack(message: Request | Reply) -> bytes:
    """Return *message* as bytes."""
    return _encoder.encode(message)


def unpack_request(data: bytes) -> Request:
    """Return the request in *data*."""
    return _requests.decode(data)


def unpack_reply(data: bytes) -> Reply:
    """Return the reply in *data*."""
    return _replies.decode(data)
