"""Who is told what a session is doing; it is told while nothing is timed."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Something that shows one line at a time."""

    def say(self, text: str) -> None:
        """Show *text* in place of the last."""

    def clear(self) -> None:
        """Show nothing."""


class Quiet:
    """Shows nothing: for CI and for tests."""

    def say(self, text: str) -> None:
        """Show nothing."""

    def clear(self) -> None:
        """Show nothing."""
