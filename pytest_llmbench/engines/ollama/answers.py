"""What the server answers, as far as it is read; unknown fields are let be.

Read in Ollama's ``api/types.go`` up to autumn 2026. A number that is zero is left out of an answer,
so that an absent ``prompt_eval_count`` is a prompt of which nothing was processed.
``prompt_eval_count`` is the whole prompt's count in most versions; before 0.4, and in the first of
0.30, it is the count of the tokens that were not in the cache. ``prompt_eval_cached_count`` is
there since late summer of 2026.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Version(msgspec.Struct):
    """``/api/version``."""

    version: str


class Details(msgspec.Struct):
    """What a list of models says of one."""

    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""


class Listed(msgspec.Struct):
    """One model of ``/api/tags``, on the disk of the server."""

    name: str
    size: int = 0
    digest: str = ""


class Running(msgspec.Struct):
    """One model of ``/api/ps``, in memory; *size* and *size_vram* in bytes."""

    name: str
    size: int = 0
    size_vram: int = 0
    context_length: int = 0


class Tags(msgspec.Struct):
    """``/api/tags``."""

    models: list[Listed] | None = None


class Ps(msgspec.Struct):
    """``/api/ps``."""

    models: list[Running] | None = None


class Shown(msgspec.Struct):
    """``/api/show``.

    Attributes:
        parameters: the PARAMETER lines of the Modelfile.
        template: the Modelfile's chat template, in Go's language.
        renderer: the name of a chat template that is built into the server.
        model_info: the file's metadata; a chat template among them.
        capabilities: ``completion``, ``embedding``, ``thinking`` …; absent in old versions.
        remote_host: where a model runs that this server only passes on.
    """

    parameters: str = ""
    template: str = ""
    renderer: str = ""
    details: Details = msgspec.field(default_factory=Details)
    model_info: dict[str, Any] | None = None
    capabilities: list[str] | None = None
    remote_host: str = ""


class Piece(msgspec.Struct):
    """The ``message`` of one line of ``/api/chat``."""

    content: str = ""
    thinking: str = ""


class Chunk(msgspec.Struct):
    """One line of a stream of ``/api/generate`` or ``/api/chat``, the last one with the figures.

    Durations are nanoseconds.
    """

    error: object = None
    response: str = ""
    thinking: str = ""
    message: Piece | None = None
    done: bool = False
    done_reason: str = ""
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_cached_count: int | None = None
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0

    @property
    def text(self) -> str:
        """This piece of the answer."""
        return self.response if self.message is None else self.message.content

    @property
    def thought(self) -> str:
        """This piece of what the model thinks before it answers."""
        return self.thinking if self.message is None else self.message.thinking


class Token(msgspec.Struct):
    """A token, how probable it was, and at its place the most probable ones."""

    token: str
    logprob: float
    top_logprobs: list[Token] | None = None


class Told(msgspec.Struct):
    """An answer that was not streamed, as far as its probabilities go; old versions have none."""

    logprobs: list[Token] | None = None


class Progress(msgspec.Struct):
    """One line of ``/api/pull``."""

    status: str = ""
    error: object = None
