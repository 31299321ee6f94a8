"""A teacher-forced pass in the variant's process: the engine's logits, reduced to what is kept."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, Protocol

from pytest_llmbench.domain.drift import ForcedPass, Position
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.engines import Encoded, Engine, TeacherForcing
from pytest_llmbench.errors import CaseError, OtherTokensError

if TYPE_CHECKING:
    from pytest_llmbench.worker.messages import Force, Top, Weigh

TOLD: Final = 20
"""Tokens of a place: as many as servers tell."""


_MOST_ROWS: Final = 128
_BLOCK_NUMBERS: Final = 2**20
"""Logits of one block: 4 MiB, eight rows of a vocabulary of 128 k. What engines reserve for them
they keep, and it would count as the memory of the next case."""


class Forcing(Engine, TeacherForcing, Protocol):
    """An engine that can."""


def forced_pass(engine: Forcing, request: Force, facts: ModelFacts | None) -> ForcedPass:
    """Return how probable *engine* finds the continuation of *request*.

    Raises:
        OtherTokensError: its tokens, or the prompt's, are not this variant's.
        CaseError: there is none, it does not fit into the context, or the logits are no numbers.
    """
    import numpy as np

    from pytest_llmbench.metrics.drift import not_comparable
    from pytest_llmbench.metrics.forced import IDS, reduced

    if not request.continuation:
        raise CaseError("there is no text to force: the reference generated no token")
    encoded, like = engine.encode(request.messages, request.parameters), request.like
    prompt_ids, vocabulary = engine.token_ids(encoded), engine.vocabulary()
    if max(request.continuation) >= vocabulary:
        raise OtherTokensError(f"it has {vocabulary} tokens, and the reference's text has others")
    text = engine.text_of(request.continuation)
    if like is not None:
        why = not_comparable(like.prompt_ids, like.text, prompt_ids, text)
        if why is not None:
            raise OtherTokensError(why)
    _check_length(encoded, len(request.continuation), "the reference's text", facts)
    usual = _step(vocabulary)
    step = usual if request.step is None else request.step + (request.step == usual)
    asked = None
    if like is not None:
        asked = np.frombuffer(like.kept_ids, IDS).reshape(len(request.continuation), -1)
    try:
        found = reduced(
            engine.forced_logits(encoded, request.continuation, step=step),
            request.continuation,
            asked=asked,
        )
    except ValueError as exc:
        raise CaseError(str(exc)) from exc
    return ForcedPass(
        prompt_ids=prompt_ids,
        text=text,
        vocabulary=found.vocabulary,
        kept_ids=found.kept_ids.tobytes(),
        kept_logprobs=found.kept_logprobs.tobytes(),
        rest_logprobs=found.rest_logprobs.tobytes(),
        token_logprobs=found.token_logprobs.tobytes(),
        best_ids=found.best_ids.tobytes(),
    )


def choice_logprobs(engine: Forcing, request: Weigh, facts: ModelFacts | None) -> tuple[float, ...]:
    """Return how probable *engine* finds each of the choices, nats: the sum over its tokens.

    Raises:
        CaseError: one has no token, does not fit into the context, or its logits are no numbers.
    """
    from pytest_llmbench.metrics.forced import reduced

    encoded, step = engine.encode(request.messages, request.parameters), _step(engine.vocabulary())
    found = []
    for choice in request.choices:
        ids = engine.ids_of(choice)
        if not ids:
            raise CaseError(f"the choice {choice!r} has no token under this model")
        _check_length(encoded, len(ids), f"the choice {choice!r}", facts)
        try:
            seen = reduced(engine.forced_logits(encoded, ids, step=step), ids, keep=1)
        except ValueError as exc:
            raise CaseError(str(exc)) from exc
        found.append(float(seen.token_logprobs.sum(dtype="f8")))
    return tuple(found)


def most_probable(
    engine: Forcing, request: Top, facts: ModelFacts | None
) -> tuple[Position, ...] | None:
    """Return the :data:`TOLD` most probable tokens at each place of the engine's own text.

    ``None`` without a text. Raises as :func:`forced_pass`.
    """
    from pytest_llmbench.metrics.forced import reduced

    if not request.continuation:
        return None
    encoded, ids = engine.encode(request.messages, request.parameters), request.continuation
    _check_length(encoded, len(ids), "its text", facts)
    try:
        blocks = engine.forced_logits(encoded, ids, step=_step(engine.vocabulary()))
        seen = reduced(blocks, ids, keep=TOLD)
    except ValueError as exc:
        raise CaseError(str(exc)) from exc
    read = functools.cache(functools.partial(_read_alone, engine))
    places = (
        Position.of((read(int(token)), float(logprob)) for token, logprob in row)
        for row in map(zip, seen.kept_ids, seen.kept_logprobs)
    )
    return tuple(place for place in places if place is not None)


def _read_alone(engine: Forcing, token: int) -> str:
    """Return how *token* reads after another: at the start, some tokenizers drop its space."""
    before = engine.ids_of("a")
    text, start = engine.text_of((*before, token)), engine.text_of(before)
    return text.removeprefix(start) if text.startswith(start) else engine.text_of((token,))


def _step(vocabulary: int) -> int:
    """Return how many tokens are computed at once, so that their logits take little memory."""
    return max(1, min(_MOST_ROWS, _BLOCK_NUMBERS // vocabulary))


def _check_length(encoded: Encoded, more: int, what: str, facts: ModelFacts | None) -> None:
    limit = None if facts is None else facts.context_tokens
    tokens = (encoded.tokens or 0) + more
    if limit is not None and tokens > limit:
        raise CaseError(
            f"prompt and {what} have {tokens} tokens, but the model's context is "
            f"{limit}; shorten the prompt or lower max_new_tokens"
        )
