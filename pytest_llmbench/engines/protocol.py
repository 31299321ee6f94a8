"""The seam between a worker and what runs the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import Position
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Arrivals, EngineTimings, FinishReason, ReportedMemory

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as the engine takes it.

    *tokens* counts them, template included; ``None`` where only the server's answer tells.
    """

    payload: object
    tokens: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """What came out, beside the stamps.

    Attributes:
        text: the generated text without special tokens.
        finish_reason: ``stop`` at an end token, ``length`` at the token limit.
        cached_prompt_tokens: prompt tokens that were not processed again; ``None``: unknown.
        prompt_tokens: for an engine whose :class:`Encoded` has no count.
        output_tokens: for an engine that stamps chunks; tokens are counted by their stamps.
        timings: the engine's own figures, where it keeps any.
    """

    text: str
    finish_reason: FinishReason
    cached_prompt_tokens: int | None
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    timings: EngineTimings | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """How a round is cut, so that it alternates with other variants' rounds.

    Attributes:
        tokens: after the first token, a slice has so many.
        most: tokens of the whole round, at most: after them nothing pauses.
        settle: waits for what a device has under way; called before a pause, and counts.
        pause: called between two slices; returns when the next one begins.
    """

    tokens: int
    most: int
    settle: Callable[[], object]
    pause: Callable[[], None]

    def end_with(self, token: int) -> bool:
        """Whether one ends with the *token*-th, counted from 1, and another one follows."""
        return token < self.most and (token - 1) % self.tokens == 0


class Stamps:
    """The one clock of a round: an engine calls :meth:`token` as each token reaches the host.

    An engine behind a server calls :meth:`response` at the first answer of any kind and
    :meth:`chunk` at every piece that holds text; a round has tokens or chunks, never both.

    Args:
        clock: returns nanoseconds; must never run backwards.
        slowdown: a planted regression: every token is held back by this share of the time
            since the last one (0.3 makes a round 30 % slower). Zero outside of tests of the
            gate itself.
        slices: how the round is cut, if it alternates with other variants'.
    """

    def __init__(
        self,
        clock: Callable[[], int],
        *,
        slowdown: float = 0.0,
        slices: Slices | None = None,
    ) -> None:
        self._clock = clock
        self._slowdown = slowdown
        self._slices = slices
        self.ids: list[int] = []
        self.ns: list[int] = []
        self.arrivals: Arrivals = "tokens"
        self.first_response_ns: int | None = None
        self.start_ns = clock()

    def elapsed_ns(self) -> int:
        """Return nanoseconds since the start."""
        return self._clock() - self.start_ns

    def token(
        self,
        token_id: int,
        at_ns: int | None = None,
        *,
        settle: Callable[[], object] | None = None,
    ) -> None:
        """Stamp *token_id* now, or at *at_ns* nanoseconds after the start.

        A token that is stamped now may end a slice: then this returns when it is the variant's
        turn again, and the time between does not count.

        Args:
            token_id: which.
            at_ns: when, where it was noted elsewhere; such a round is never cut.
            settle: waits for what the engine has under way already, such as the next token, where
                that is not on a device's default stream. It is called before a pause, and counts.
        """
        if at_ns is not None:
            self.ids.append(token_id)
            self.ns.append(self._planted(at_ns))
            return
        at_ns = self.elapsed_ns()
        if self._slowdown:
            at_ns = self._hold_back(at_ns)
        self.ids.append(token_id)
        self.ns.append(at_ns)
        if self._slices is not None and self._slices.end_with(len(self.ns)):
            self._pause(self._slices, settle or self._slices.settle)

    def response(self) -> None:
        """Stamp a server's answer; only the first counts."""
        if self.first_response_ns is None:
            self.first_response_ns = self._planted(self.elapsed_ns())

    def chunk(self) -> None:
        """Stamp a piece of text that may hold several tokens.

        A planted slowdown is added to the stamp alone: a server does not wait for its reader.
        """
        self.arrivals = "chunks"
        self.ns.append(self._planted(self.elapsed_ns()))

    def _pause(self, slices: Slices, settle: Callable[[], object]) -> None:
        """Stop the clock while other variants have their slices."""
        settle()
        began = self._clock()
        slices.pause()
        self.start_ns += self._clock() - began

    def _planted(self, at_ns: int) -> int:
        return at_ns + int(at_ns * self._slowdown)

    def _hold_back(self, at_ns: int) -> int:
        """Keep the processor busy for the planted share of the last gap; return the time after."""
        last = self.ns[-1] if self.ns else 0
        until = at_ns + int((at_ns - last) * self._slowdown)
        while at_ns < until:
            at_ns = self.elapsed_ns()
        return at_ns


class Engine(Protocol):
    """What an adapter implements. All of it runs in the variant's own process, in one thread."""

    def start(self) -> None:
        """Import the engine's libraries.

        Raises:
            EngineNotInstalledError: one is absent; the message carries the line to type.
        """

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:
        """Load the model that *options* describe; relative paths start from *base_dir*.

        Raises:
            LoadError: it can't be loaded; the message says why and what to change.
        """

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:
        """Return the conversation as tokens, with the chat template where it applies."""

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        """Generate one text, stamping every token as it reaches the host.

        Nothing may be kept from the last call that would make this one faster: every round
        pays for its whole prompt, or reports the tokens it did not process.

        Raises:
            CaseError: this prompt or these parameters can't be run.
        """

    def free(self) -> None:
        """Release the model and its memory; the engine is not used afterwards."""


@runtime_checkable
class Served(Protocol):
    """What an engine has besides when its model lives in other processes than the worker's.

    An engine without these methods is measured by the worker's own process.
    """

    def processes(self) -> tuple[int, ...] | None:
        """Return the process ids, on this machine, that hold the model: the server's whole tree.

        Empty before the server is started and after it ended; ``None`` where they can't be
        known, because the server runs elsewhere.
        """

    def reported_memory(self) -> ReportedMemory | None:
        """Return what the server says that the model takes; ``None`` where it says nothing."""


@runtime_checkable
class Reallocating(Protocol):
    """What an engine has besides when it keeps buffers from one generation to the next.

    Where they come to lie in memory decides by how much of a cache they share with the weights and
    with each other: by some per cent of a token's time, for as long as they stay. Asked before the
    warm-up of every case and then, on a CPU, before every round, so that these do not all have the
    same luck; without a warm-up, never. What it takes before a round is on the case's time budget.
    """

    def reallocate(self) -> None:
        """Give back what is allocated beside the weights, such as the cache, and take it anew.

        Raises:
            LoadError: there is no room any more.
        """


@runtime_checkable
class TeacherForcing(Protocol):
    """What an engine has besides when it can say how probable it finds a given text.

    Without it the drift of a variant is judged by its texts alone.
    """

    def vocabulary(self) -> int:
        """Return how many tokens the model has: ids are below it."""

    def token_ids(self, encoded: Encoded) -> tuple[int, ...]:
        """Return the tokens of an encoded prompt."""

    def text_of(self, ids: tuple[int, ...]) -> str:
        """Return what *ids* read as, without special tokens: as in :attr:`Generation.text`."""

    def ids_of(self, text: str) -> tuple[int, ...]:
        """Return *text* as tokens that follow a prompt: none is added, none of them is special."""

    def forced_logits(
        self, encoded: Encoded, continuation: tuple[int, ...], *, step: int
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the logits of the positions that lead to each token of *continuation*.

        They come in blocks of consecutive positions, each of shape ``(rows, vocabulary)``, and
        in all there are as many rows as tokens. The cache is empty at the start, and used as in
        :meth:`Engine.generate`: what it is quantized to has its effect.

        Args:
            encoded: the prompt.
            continuation: tokens after it, one at least.
            step: tokens of the continuation that are computed at once.

        Raises:
            CaseError: it is too long, or the device has no memory for it.
        """


@runtime_checkable
class TopLogprobs(Protocol):
    """What an engine has that can't be given a text, but tells its most probable tokens.

    Servers do. Drift from such an engine, or to it, goes as far as both say the same.
    """

    def top_logprobs(
        self, messages: tuple[Message, ...], parameters: Parameters
    ) -> tuple[Position, ...] | None:
        """Say a greedy text once more, untimed, and return the most probable tokens of each place.

        ``None`` where this server tells none.

        Raises:
            CaseError: it refuses.
        """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What an engine's library says of this machine, for ``llmbench doctor``.

    Attributes:
        devices: that work, as the key ``device`` takes them; empty where there is no choice.
        notes: further lines: the instruction set it was built for, what it does without.
    """

    devices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
