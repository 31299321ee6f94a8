"""What the demo model learns from: one question and one answer at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

NAMES: Final = (
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Ida",
    "Jack", "Kate", "Leo", "Mia", "Noah", "Olga", "Paul", "Rosa", "Tom",
)  # fmt: skip
"""First names for people in questions."""


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """One question and its answer, with an optional system message before them."""

    question: str
    answer: str
    system: str | None = None

    def messages(self) -> list[dict[str, str]]:
        """The dialogue as chat messages, oldest first; the last one is the answer."""
        head = [{"role": "system", "content": self.system}] if self.system is not None else []
        return [
            *head,
            {"role": "user", "content": self.question},
            {"role": "assistant", "content": self.answer},
        ]


def capitalized(text: str) -> str:
    """`text` with its first letter in upper case and the rest as it is."""
    return text[:1].upper() + text[1:]


Family = tuple[Callable[[Random], Dialogue], int]
"""A way to make dialogues of one kind, and how many of them one epoch draws."""
