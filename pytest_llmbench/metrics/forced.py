"""From logits to what is kept of a teacher-forced pass; pure arithmetic, in the worker.

Logits of half precision near 20 step by 0.125, so that nothing is calculated in it: blocks are
float32, and the sum over the vocabulary is float64.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_llmbench.domain.drift import LEAST

KEPT: Final = 256
"""Tokens that are kept of each position, and one bucket for all others: about 2 KB."""

IDS: Final = np.dtype("<i4")
LOGPROBS: Final = np.dtype("<f4")

_ROUNDING: Final = 1e-14
"""What float64 leaves of a whole is nothing."""


class Reduced(NamedTuple):
    """The arrays of a :class:`.ForcedPass`, and the size of the vocabulary."""

    kept_ids: NDArray[np.int32]
    kept_logprobs: NDArray[np.float32]
    rest_logprobs: NDArray[np.float32]
    token_logprobs: NDArray[np.float32]
    best_ids: NDArray[np.int32]
    vocabulary: int


def reduced(
    blocks: Iterable[NDArray[np.float32]],
    continuation: Sequence[int],
    *,
    asked: NDArray[np.int32] | None = None,
    keep: int = KEPT,
) -> Reduced:
    """Return what is kept of logits.

    Args:
        blocks: logits of consecutive positions, each of shape ``(rows, vocabulary)``.
        continuation: the token that each position leads to, n of them.
        asked: shape ``(n, K)``: the tokens to keep; without it the *keep* most probable ones.
        keep: how many, where nothing is *asked*.

    Raises:
        ValueError: the blocks have other than n rows, or hold what is no number: the model is
            broken, or its precision too low for it.
    """
    tokens = np.asarray(continuation, dtype=np.int64)
    parts: list[tuple[NDArray[Any], ...]] = []
    row = vocabulary = 0
    for block in blocks:
        rows = slice(row, row + len(block))
        logprobs = _log_softmax(np.asarray(block, dtype=np.float32))
        ids = _most_probable(logprobs, keep) if asked is None else asked[rows]
        own = tokens[rows, None]
        if not len(ids) == len(own) == len(block):
            raise ValueError(f"there are logits of more positions than the {len(tokens)} tokens")
        kept = _gathered(logprobs, ids)
        rest = _rest(kept, others=logprobs.shape[1] > ids.shape[1])
        best = logprobs.argmax(axis=1)
        parts.append((ids, kept, rest, _gathered(logprobs, own)[:, 0], best))
        row, vocabulary = rows.stop, logprobs.shape[1]
    if row != len(tokens):
        raise ValueError(f"there are logits of {row} positions for {len(tokens)} tokens")
    ids, kept, rest, token, best = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Reduced(
        kept_ids=ids.astype(IDS),
        kept_logprobs=kept.astype(LOGPROBS),
        rest_logprobs=rest.astype(LOGPROBS),
        token_logprobs=token.astype(LOGPROBS),
        best_ids=best.astype(IDS),
        vocabulary=vocabulary,
    )


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return log-probabilities, none below :data:`LEAST`."""
    largest = logits.max(axis=1, keepdims=True)
    if not np.isfinite(largest).all():
        raise ValueError("the logits are no numbers (NaN or infinite)")
    shifted = logits.astype(np.float64) - largest
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    result: NDArray[np.float64] = np.maximum(shifted, LEAST)
    return result


def _rest(kept: NDArray[np.float64], *, others: bool) -> NDArray[np.float64]:
    """Return the logarithm of what the kept tokens leave to all others; NaN without any."""
    if not others:
        return np.full(len(kept), np.nan)
    left = np.maximum(1.0 - np.nansum(np.exp(kept), axis=1), 0.0)
    found = np.full(len(left), np.log(_ROUNDING))  # at most so much: the bound stays a lower one
    np.log(left, where=left > _ROUNDING, out=found)
    return found


def _most_probable(logprobs: NDArray[np.float64], keep: int) -> NDArray[np.int64]:
    count = min(keep, logprobs.shape[1])
    found = np.argpartition(-logprobs, count - 1, axis=1)[:, :count]
    order = np.argsort(-np.take_along_axis(logprobs, found, axis=1), axis=1, kind="stable")
    result: NDArray[np.int64] = np.take_along_axis(found, order, axis=1)
    return result


def _gathered(logprobs: NDArray[np.float64], ids: NDArray[Any]) -> NDArray[np.float64]:
    """Return the log-probabilities of *ids*; NaN for a token beyond the vocabulary."""
    there = ids < logprobs.shape[1]
    found = np.take_along_axis(logprobs, np.where(there, ids, 0), axis=1)
    return np.where(there, found, np.nan)
