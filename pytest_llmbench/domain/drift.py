"""What two variants make of one text: how probable each finds it, and how far they are apart."""

from __future__ import annotations

from pytest_llmbench.domain.fact import Fact


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
