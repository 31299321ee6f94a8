"""Prompts and suites: what is asked of every variant, and how an answer is scored."""

from __future__ import annotations

from pathlib import PurePath
from typing import Literal

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.gate import Gates

Scorer = Literal[
    "exact", "contains", "regex", "number", "choice", "json", "json-schema",
    "python", "code", "loglikelihood",
]  # fmt: skip
Length = Literal["natural", "fixed"]


class Message(Fact, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: str
    content: str


class Prompt(Fact, frozen=True, kw_only=True):
    """One question: *messages* always has at least one turn.

    Attributes:
        id: unique in its suite; part of the test's name.
        messages: the conversation so far; a plain ``prompt`` is one user turn.
        task: label that reports group by (``qa``, ``coding`` …), or ``None``.
        expect: the expected answer, read by *score*; ``None`` where nothing is scored.
        score: how the answer is scored.
        source: the file and place it came from, for messages.
        scorer: the user's own function, as ``FILE.py:NAME`` or ``MODULE:NAME``, where *score* is
            ``python``.
        choices: the answers that are weighed against each other, where *score* is
            ``loglikelihood``.
    """

    id: str
    messages: tuple[Message, ...]
    task: str | None
    expect: str | float | None
    score: Scorer | None
    source: str
    scorer: str | None = None
    choices: tuple[str, ...] = ()

    @property
    def expected(self) -> str:
        """What is expected and how it is scored, as text: empty where nothing is."""
        if self.score is None:
            return ""
        by = f" by {PurePath(self.scorer).name}" if self.scorer else ""
        among = f" among {list(self.choices)}" if self.choices else ""
        return f"{self.score}:{self.expect}{by}{among}"

    @property
    def text(self) -> str:
        """The words asked, turns apart by an empty line: what reports show."""
        return "\n\n".join(message.content for message in self.messages)


class Sampling(Fact, frozen=True, kw_only=True):
    """How often a case is generated.

    Attributes:
        rounds: undisturbed timed rounds wanted; ``None`` lets what they show decide.
        warmup: untimed generations before them; ``None`` lets the device and the first rounds
            decide.
        max_time_s: no further round starts once a case's rounds took this long.
    """

    rounds: int | None
    warmup: int | None
    max_time_s: float


class Suite(Fact, frozen=True, kw_only=True):
    """A named set of prompts with the generation parameters to sweep over."""

    name: str
    source: str
    prompts: tuple[Prompt, ...]
    variants: tuple[str, ...]
    max_new_tokens: tuple[int, ...]
    temperature: tuple[float, ...]
    seed: tuple[int, ...]
    top_p: float
    top_k: int
    length: Length
    chat: bool | None
    sampling: Sampling
    gates: Gates
