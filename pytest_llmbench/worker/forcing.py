"""A teacher-forced pass in the variant's process: the engine's logits, reduced to what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from pytest_llmbench.domain.drift import ForcedPass
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.engines import Encoded, Engine, TeacherForcing
from pytest_llmbench.errors import CaseError

if TYPE_CHECKING:
    from pytest_llmbench.worker.messages import Force


class _Forcing(Engine, TeacherForcing, Protocol):
    """An engine that can."""


def forced_pass(engine: _Forcing, request: Force, facts: ModelFacts | None) -> ForcedPass:
    """Return how probable *engine* finds the continuation of *request*.

    Raises:
        CaseError: there is none, or it does not fit into the context.
    """
    import numpy as np

    from pytest_llmbench.metrics.forced import IDS, reduced

    if not request.continuation:
        raise CaseError("there is no text to force: the reference generated no token")
    encoded = engine.encode(request.messages, request.parameters)
    _check_length(encoded, request, facts)
    asked = None
    if request.asked is not None:
        asked = np.frombuffer(request.asked, IDS).reshape(len(request.continuation), -1)
    found = reduced(
        engine.forced_logits(encoded, request.continuation, step=request.step),
        request.continuation,
        asked=asked,
    )
    return ForcedPass(
        prompt_ids=engine.token_ids(encoded),
        text=engine.text_of(request.continuation),
        vocabulary=found.vocabulary,
        kept_ids=found.kept_ids.tobytes(),
        kept_logprobs=found.kept_logprobs.tobytes(),
        rest_logprobs=found.rest_logprobs.tobytes(),
        token_logprobs=found.token_logprobs.tobytes(),
        best_ids=found.best_ids.tobytes(),
    )


def _check_length(encoded: Encoded, request: Force, facts: ModelFacts | None) -> None:
    limit = None if facts is None else facts.context_tokens
    tokens = (encoded.tokens or 0) + len(request.continuation)
    if limit is not None and tokens > limit:
        raise CaseError(
            f"prompt and the reference's text have {tokens} tokens, but the model's context is "
            f"{limit}; shorten the prompt or lower max_new_tokens"
        )
