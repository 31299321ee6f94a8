"""A case: variant × prompt × generation parameters; one pytest item."""

from __future__ import annotations

import hashlib
import json

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.suite import Length, Prompt, Sampling


class Parameters(Fact, frozen=True, kw_only=True):
    """How one text is generated.

    Attributes:
        max_new_tokens: at most this many tokens (exactly this many with ``length="fixed"``).
        temperature: 0 is greedy; above it sampling is seeded with *seed*.
        seed: seed of every round's sampling; rounds of a case repeat the same text.
        top_p: nucleus share, 1 keeps all; only with temperature above 0.
        top_k: number of candidates, 0 keeps all; only with temperature above 0.
        length: ``natural`` stops at the end token, ``fixed`` generates *max_new_tokens*.
        chat: apply the model's chat template; ``None`` does so when there is one.
    """

    max_new_tokens: int
    temperature: float
    seed: int
    top_p: float
    top_k: int
    length: Length
    chat: bool | None

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is always taken."""
        return self.temperature == 0

    @property
    def label(self) -> str:
        """The part of a test's name that tells parameters apart: ``n64-t0``."""
        fixed = "fixed" if self.length == "fixed" else ""
        seed = f"-s{self.seed}" if self.seed and not self.greedy else ""
        return f"n{self.max_new_tokens}{fixed}-t{self.temperature:g}{seed}"


class Case(Fact, frozen=True, kw_only=True):
    """One thing to measure. *variant* and *suite* are names in the configuration."""

    suite: str
    variant: str
    prompt: Prompt
    parameters: Parameters
    sampling: Sampling

    @property
    def id(self) -> str:
        """Readable name, unique within the suite: ``gguf-q4_0-explain-lora-n64-t0``."""
        return f"{self.variant}-{self.prompt.id}-{self.parameters.label}"

    @property
    def key(self) -> str:
        """Name that is unique in a session: ``bootcamp/gguf-q4_0-explain-lora-n64-t0``."""
        return f"{self.suite}/{self.id}"

    @property
    def workload(self) -> dict[str, str]:
        """What is asked, field by field: results compare only where all of it is equal."""
        asked = json.dumps([[m.role, m.content] for m in self.prompt.messages])
        p = self.parameters
        return {
            "prompt": hashlib.sha256(asked.encode()).hexdigest()[:16],
            "expect": self.prompt.expected,
            "parameters": (
                f"n={p.max_new_tokens} t={p.temperature:g} seed={p.seed} top_p={p.top_p:g} "
                f"top_k={p.top_k} length={p.length} chat={_chat(p.chat)}"
            ),
        }


def _chat(chat: bool | None) -> str:  # noqa: FBT001 — three states of one field, not a switch
    return {None: "auto", True: "yes", False: "no"}[chat]
