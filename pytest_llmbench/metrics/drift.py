"""How far a variant's probabilities are from the reference's, on the reference's own text.

Both were given the same tokens (teacher forcing), so that a difference at one position does not
make all that follows differ. The divergence is that of Kullback and Leibler (1951) from the
reference to the variant, over the reference's K most probable tokens and one bucket for all others:
by the log sum inequality never more than that over the whole vocabulary, and the less below it the
less the others weigh.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.drift import Drift, ForcedPass, Position
from pytest_llmbench.domain.record import Measured
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.metrics.alike import first_difference
from pytest_llmbench.metrics.departures import Said, departures
from pytest_llmbench.metrics.forced import IDS, LOGPROBS

Floats = NDArray[np.float64]

_LEAST_REST: Final = 1e-12
_ALL: Final = 1 - 1e-12
"""More than this is never left out, so that something remains to be compared."""


def not_comparable(
    prompt_ids: Sequence[int], text: str, its_prompt_ids: Sequence[int], its_text: str
) -> str | None:
    """Return why a variant's tokens are not the reference's, or ``None`` where they are.

    The vocabulary has to be one, though either may be padded: the prompt must have the same
    tokens, and the continuation's must read as the same text.

    Args:
        prompt_ids: the reference's tokens of the prompt.
        text: how the reference reads its own text's tokens.
        its_prompt_ids: the variant's tokens of the same prompt.
        its_text: how the variant reads the tokens of the reference's text.
    """
    if tuple(prompt_ids) != tuple(its_prompt_ids):
        return (
            f"its prompt has other tokens ({len(its_prompt_ids)}) than the reference's "
            f"({len(prompt_ids)}); give both the same tokenizer and chat template"
        )
    if text != its_text:
        return "its tokenizer reads the reference's tokens as another text"
    return None


def drift(to: str, reference: ForcedPass, variant: ForcedPass) -> Drift:
    """Return how far *variant* is from *reference*, which is called *to*.

    The passes must be comparable.
    """
    own, other = (_floats(side.token_logprobs) for side in (reference, variant))
    best, its = (np.frombuffer(side.best_ids, IDS) for side in (reference, variant))
    p, q = (
        (_floats(side.kept_logprobs).reshape(len(best), -1), _floats(side.rest_logprobs))
        for side in (reference, variant)
    )
    return Drift(
        to=to,
        kl=tuple(map(float, divergence(*p, *q))),
        agrees=tuple(map(bool, best == its)),
        delta_p=tuple(map(float, np.exp(other) - np.exp(own))),
        delta_logp=tuple(map(float, other - own)),
    )


def truncated_drift(
    to: str, reference: Sequence[Position], variant: Sequence[Position]
) -> Drift | None:
    """Return how far two greedy texts' most probable tokens are apart; ``None`` without any.

    As far as both say the same they were given the same, and so for one token more. Tokens that
    either side did not tell are together one more: a lower bound again, as in :func:`divergence`.
    """
    same = first_difference([p.best for p in reference], [p.best for p in variant])
    pairs = list(zip(reference, variant, strict=False))[: same + 1]
    if not pairs:
        return None
    own, its = [p.logprobs[p.best] for p, _ in pairs], [_of_token(q, p.best) for p, q in pairs]
    return Drift(
        to=to,
        kl=tuple(float(_of_position(p, q)) for p, q in pairs),
        agrees=tuple(p.best == q.best for p, q in pairs),
        delta_p=tuple(math.exp(b) - math.exp(a) for a, b in zip(own, its, strict=True)),
        delta_logp=tuple(b - a for a, b in zip(own, its, strict=True)),
        truncated=True,
    )


def _of_position(p: Position, q: Position) -> float:
    """Return the divergence of one place, from below.

    Parts are the tokens that both told, those that *p* alone told, and all others. What *q* gives
    to the second is not known, but at most what its told ones leave, and no token of it more than
    the least told: of what is left the share that makes the divergence the least is taken.
    """
    common = [text for text in p.logprobs if text in q.logprobs]
    of_p, of_q = ([math.exp(side.logprobs[text]) for text in common] for side in (p, q))
    alone = [math.exp(p.logprobs[text]) for text in p.logprobs if text not in q.logprobs]
    left_p, left_q = (max(1 - sum(side), _LEAST_REST) for side in (of_p, of_q))
    p_alone = min(sum(alone), left_p)
    most = min(1 - sum(map(math.exp, q.logprobs.values())), len(alone) * _least(q))
    q_alone = min(max(most, _LEAST_REST), left_q * p_alone / left_p)
    parts = [
        *zip(of_p, of_q, strict=True),
        (p_alone, q_alone),
        (left_p - p_alone, left_q - q_alone),
    ]
    return max(0.0, sum(a * math.log(a / max(b, _LEAST_REST)) for a, b in parts if a > 0))


def _least(position: Position) -> float:
    return math.exp(min(position.logprobs.values()))


def _of_token(position: Position, text: str) -> float:
    """Return the log-probability of *text*; where it was not told, the most that it can be."""
    return position.logprobs.get(text, min(position.logprobs.values()))


def divergence(p: Floats, p_rest: Floats, q: Floats, q_rest: Floats) -> Floats:
    """Return the divergence of each row, nats, shape ``(n,)``.

    Tokens that the variant does not have are left out on both sides: of a padded vocabulary the
    smaller counts. By the chain rule that is less still, never more.

    Args:
        p: log-probabilities by the reference, shape ``(n, K)``.
        p_rest: of all other tokens together, shape ``(n,)``; NaN where there is none.
        q: of the same tokens by the variant; NaN for those that it does not have.
        q_rest: of all others, likewise.
    """
    mine = np.nan_to_num(np.concatenate([p, p_rest[:, None]], axis=1), nan=-np.inf)
    its = np.concatenate([q, q_rest[:, None]], axis=1)
    there = np.isfinite(its)
    gone = np.where(there, 0.0, np.exp(mine)).sum(axis=1, keepdims=True)
    mine = np.where(there, mine, -np.inf) - np.log1p(-np.minimum(gone, _ALL))
    with np.errstate(invalid="ignore"):
        each = np.where(np.isfinite(mine), np.exp(mine) * (mine - its), 0.0)
    found: Floats = np.maximum(0.0, each.sum(axis=1))
    return found


def _floats(data: bytes) -> Floats:
    return np.frombuffer(data, LOGPROBS).astype(np.float64)


def drift_metrics(found: Drift) -> dict[str, Measured]:
    """Return the metrics of one case's drift; the definitions are in docs/metrics.md."""
    kl, delta_p, delta_logp = map(np.asarray, (found.kl, found.delta_p, found.delta_logp))
    values = {
        "kl_mean": kl.mean(),
        "kl_p99": np.quantile(kl, 0.99),
        "kl_max": kl.max(),
        "top1_agreement": np.mean(found.agrees),
        "delta_p_rms": np.sqrt(np.mean(delta_p**2)),
        "ppl_ratio": np.exp(-delta_logp.mean()),
    }
    return _measured(values)


def text_metrics(reference: Said, trace: Trace) -> dict[str, Measured]:
    """Return how far the greedy text of *trace* is the reference's.

    Tokens are compared where both engines give them, which has to be of one tokenizer.
    """
    one, other = reference.token_ids, trace.token_ids
    values = {"exact_match": float(reference.text == trace.text)}
    if one and other:
        values["prefix_match_tokens"] = float(first_difference(one, other))
    if reference.output_tokens and trace.output_tokens is not None:
        values["length_ratio"] = trace.output_tokens / reference.output_tokens
    values["departures"] = float(len(departures(reference, trace)))
    return _measured(values)


def own_noise(reference: ForcedPass, again: ForcedPass) -> dict[str, float]:
    """Return how far the reference is from itself, computed in other blocks, by each metric.

    That much is no drift: a batch of another size adds up in another order. In the metric's unit,
    at least 0.
    """
    metrics = drift_metrics(drift("", reference, again))
    return {
        name: abs(measured.value - undrifted)
        for name, measured in metrics.items()
        if (undrifted := CATALOGUE[name].undrifted) is not None
    }


def prefix_metrics(found: Drift) -> dict[str, Measured]:
    """Return how many tokens of a truncated drift both said alike."""
    return _measured({"prefix_match_tokens": float(sum(found.agrees))})


def _measured(values: Mapping[str, float]) -> dict[str, Measured]:
    return {
        name: Measured(value=float(value), gate=float(value), rounds=None)
        for name, value in values.items()
    }
