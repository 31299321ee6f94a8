"""Promises of an engine that says how probable it finds a given text; others are not asked."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pytest

from pytest_llmbench.domain.drift import ForcedPass
from pytest_llmbench.metrics.forced import IDS, LOGPROBS
from pytest_llmbench.testing.subject import Subject
from pytest_llmbench.testing.terms import Terms, promise

_STEPS: Final = (1, 7, 64)
_CLOSE: Final = 0.05
"""Nats, on average: what another split of a batch may change in half precision."""

_TIES: Final = 1
"""Tokens of half precision that may have exactly the same logit as the best."""


class ForcingPromises(Terms):
    """What drift from a reference rests on: ``TeacherForcing`` of the engine's protocol."""

    def test_its_own_greedy_text_is_the_most_probable(self, subject: Subject) -> None:
        """What is forced sees what generating sees: template, cache, precision."""
        trace = subject.ask(self.question)
        best = np.frombuffer(self._seen(subject, trace.token_ids, 64).best_ids, IDS)
        other = int(np.sum(best != np.asarray(trace.token_ids)))
        promise(
            other <= _TIES,
            f"the greedy text has {len(best)} tokens, of which {other} are not the most probable "
            "ones when the text is forced; encode the prompt alike, begin with an empty cache, "
            "and yield the logits that lead to each token",
        )

    def test_how_many_tokens_at_once_changes_little(self, subject: Subject) -> None:
        """A block more or less is a matter of memory."""
        tokens = subject.ask(self.question).token_ids
        logprobs = [
            np.frombuffer(self._seen(subject, tokens, step).token_logprobs, LOGPROBS)
            for step in _STEPS
        ]
        apart = max(float(np.abs(one - logprobs[0]).mean()) for one in logprobs[1:])
        promise(
            apart < _CLOSE,
            f"with {_STEPS} tokens at once the log-probabilities of one text differ by {apart:.3g} "
            "nats on average; each block goes on from the cache that the one before left",
        )

    def test_a_choice_weighs_what_its_tokens_do(self, subject: Subject) -> None:
        """The tokens of a text by itself, and the sum of their log-probabilities."""
        found = subject.weigh(self.question, ("A", "A", "A, B, C and D"))
        if found is None:
            pytest.skip("the engine tells no probabilities")
        one, same, longer = found
        promise(
            all(map(math.isfinite, found)) and abs(one - same) < _CLOSE and longer <= one < 0,
            f"'A' has the log-probability {one:.3g}, asked again {same:.3g}, and 'A, B, C and D' "
            f"{longer:.3g}; ids_of adds no token, and none of them is special",
        )

    def _seen(self, subject: Subject, tokens: tuple[int, ...], step: int) -> ForcedPass:
        seen = subject.force(self.question, tokens, step) if tokens else None
        if seen is None:
            pytest.skip("the engine tells no probabilities, or no tokens")
        return seen
