"""Stamping every token of ``generate`` as it reaches the host.

Read in transformers 5.23: ``generate`` hands its streamer the prompt first, then every token
after copying it to the host, so that a stamp is exact on CPU and CUDA. On MPS it streams one
step behind (``DeferredStopCheck``); there the stamps are taken as each step's scores arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmbench.engines.protocol import Stamps

if TYPE_CHECKING:
    import torch


def watch(stamps: Stamps, torch: Any, device: str) -> StreamedStamps | ScoredStamps:
    """Return what stamps a generation on *device* (``cpu``, ``cuda`` or ``mps``)."""
    return ScoredStamps(stamps, torch) if device == "mps" else StreamedStamps(stamps)


class StreamedStamps:
    """A streamer that stamps every token put to it; the first put is the prompt."""

    processors: None = None

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._prompt_seen = False

    @property
    def streamer(self) -> StreamedStamps:
        """Itself: the object that ``generate`` calls."""
        return self

    def put(self, value: torch.Tensor) -> None:
        """Stamp a token; *value* has shape ``(1,)`` and is on the host already."""
        if self._prompt_seen:
            self._stamps.token(int(value))
        self._prompt_seen = True

    def end(self) -> None:
        """All tokens were put."""

    def finish(self) -> None:
        """All stamps were taken."""


class ScoredStamps:
    """Stamps each step as its scores arrive, for devices that stream a step behind (MPS)."""

    def __init__(self, stamps: Stamps, torch: Any) -> None:
        self._stamps = stamps
        self._torch = torch
        self._arrivals: list[int] = []
        self._late = _LateTokens()
        self.streamer = self._late

    @property
    def processors(self) -> list[Any]:
        """A logits processor that changes nothing and notes the time."""
        return [self._arrived]

    def _arrived(self, _ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if scores.device.type == "mps":
            self._torch.mps.synchronize()
        self._arrivals.append(self._stamps.elapsed_ns())
        return scores

    def finish(self) -> None:
        """Pair tokens with arrivals; a step beyond the last token was undone by ``generate``."""
        for token, at_ns in zip(self._late.tokens, self._arrivals, strict=False):
            self._stamps.token(token, at_ns=at_ns)


class _LateTokens:
    """A streamer that keeps the tokens; the first put is the prompt."""

    def __init__(self) -> None:
        self._prompt_seen = False
        self.tokens: list[int] = []

    def put(self, value: torch.Tensor) -> None:
        if self._prompt_seen:
            self.tokens.append(int(value))
        self._prompt_seen = True

    def end(self) -> None:
        """All tokens were put."""
