"""What two variants make of one text: how probable each finds it, and how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.trace import FinishReason

LEAST: Final = -100.0
"""No log-probability is lower: what a model rules out is as bad as can be, and finite."""


class ForcedPass(Fact, frozen=True, kw_only=True):
    """The log-probabilities of a continuation of n tokens, position by position, in nats.

    Of each position K tokens are kept: the reference's most probable ones, which every variant is
    asked about. Arrays are the bytes of little-endian numbers in C order.

    Attributes:
        prompt_ids: tokens of the prompt, template included, as this variant has them.
        text: the continuation as this variant's tokenizer reads it.
        vocabulary: how many tokens its probabilities are spread over.
        kept_ids: int32, shape ``(n, K)``: the tokens asked about, most probable first where this
            pass chose them.
        kept_logprobs: float32, shape ``(n, K)``: their log-probabilities; NaN for a token that
            this variant does not have.
        rest_logprobs: float32, shape ``(n,)``: that of all other tokens together; NaN where there
            is no other.
        token_logprobs: float32, shape ``(n,)``: those of the continuation's own tokens.
        best_ids: int32, shape ``(n,)``: the most probable token of each position.
    """

    prompt_ids: tuple[int, ...]
    text: str
    vocabulary: int
    kept_ids: bytes
    kept_logprobs: bytes
    rest_logprobs: bytes
    token_logprobs: bytes
    best_ids: bytes


class Position(Fact, frozen=True, kw_only=True):
    """One place of a greedy text: the tokens that were the most probable there.

    Attributes:
        logprobs: by a token's own text its log-probability, nats; not empty. Tokens that read the
            same (special ones read as nothing) are one.
    """

    logprobs: dict[str, float]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, float]]) -> Position | None:
        """Return the place of tokens' texts and log-probabilities; ``None`` without any number.

        Those that read the same are added up as probabilities; none is below :data:`LEAST`.
        """
        found: dict[str, float] = {}
        for text, logprob in pairs:
            if math.isnan(logprob):
                continue
            one, other = max(logprob, LEAST), found.get(text)
            if other is not None:
                one = max(one, other) + math.log1p(math.exp(-abs(one - other)))
            found[text] = min(one, 0.0)
        return cls(logprobs=found) if found else None

    @property
    def best(self) -> str:
        """The most probable token's text: what was said, as the text is greedy."""
        return max(self.logprobs, key=lambda text: self.logprobs[text])


class Drift(Fact, frozen=True, kw_only=True):
    """How far a variant is from the reference on the reference's text, token by token.

    All of shape ``(n,)``.

    Attributes:
        to: the reference.
        kl: divergence of Kullback and Leibler from the reference to the variant, nats, at least 0.
        agrees: whether both find the same token the most probable.
        delta_p: the variant's probability of the reference's token, less the reference's.
        delta_logp: the same of the log-probabilities, nats.
        truncated: each said a text of its own and a server told its most probable tokens alone: n
            goes as far as both said the same, and one token further.
    """

    to: str
    kl: tuple[float, ...]
    agrees: tuple[bool, ...]
    delta_p: tuple[float, ...]
    delta_logp: tuple[float, ...]
    truncated: bool = False


class Original(Fact, frozen=True, kw_only=True):
    """A greedy text that other variants are held against, and what its own variant makes of it.

    Attributes:
        variant: whose text it is.
        key: stands for all that drift from it depends on: model, text, what embeds texts.
        text, token_ids, output_tokens, finish_reason: as in :class:`.Trace`.
        seen: how probable its own variant finds it; ``None`` where that can't tell, and *why*
            says so.
        noise: how far that variant is from itself, by each metric of drift.
        top: the most probable tokens along it, where they were asked for.
    """

    variant: str
    key: str
    text: str
    token_ids: tuple[int, ...]
    output_tokens: int | None
    finish_reason: FinishReason
    seen: ForcedPass | None
    why: str | None
    noise: dict[str, float]
    top: tuple[Position, ...] | None


class KeptOriginal(Fact, frozen=True, kw_only=True):
    """An original, and what was asked: for anything else it is none."""

    workload: dict[str, str]
    original: Original


class KeptOriginals(Fact, frozen=True, kw_only=True):
    """What a baseline keeps of its reference, so that later sessions need not load it.

    *asked* is what the configuration says of it, *identity* what its engine said of the model;
    *cases* are by the keys of its own cases; *saved_at* is in ISO 8601.
    """

    schema_version: int
    saved_at: str
    reference: str
    asked: str
    identity: dict[str, str]
    cases: dict[str, KeptOriginal]
