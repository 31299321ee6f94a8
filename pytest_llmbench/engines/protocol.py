"""The seam between a worker and what runs the model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import FinishReason


@dataclasses.dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt as the engine takes it; *tokens* counts them, template included."""

    payload: object
    tokens: int


@dataclasses.dataclass(frozen=True, slots=True)
class Generation:
    """What came out, beside the stamps: *text* without special tokens."""

    text: str
    finish_reason: FinishReason
    cached_prompt_tokens: int


class Stamps:
    """The one clock of a round: an engine calls :meth:`token` as each token reaches the host.

    Args:
        clock: returns nanoseconds; must never run backwards.
        slowdown: a planted regression: every token is held back by this share of the time
            since the last one (0.3 makes a round 30 % slower). Zero outside of tests of the
            gate itself.
    """

    def __init__(self, clock: Callable[[], int], *, slowdown: float = 0.0) -> None:
        self._clock = clock
        self._slowdown = slowdown
        self.ids: list[int] = []
        self.ns: list[int] = []
        self.start_ns = clock()

    def elapsed_ns(self) -> int:
        """Return nanoseconds since the start."""
        return self._clock() - self.start_ns

    def token(self, token_id: int, at_ns: int | None = None) -> None:
        """Stamp *token_id* now, or at *at_ns* nanoseconds after the start."""
        if at_ns is None:
            at_ns = self.elapsed_ns()
            if self._slowdown:
                at_ns = self._hold_back(at_ns)
        else:
            at_ns += int(at_ns * self._slowdown)
        self.ids.append(token_id)
        self.ns.append(at_ns)

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
