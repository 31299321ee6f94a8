"""Which of several answers the model finds the likeliest: asked after its rounds, untimed.

The definition is that of multiple-choice tasks in language model evaluation: the log-probability of
each choice after the prompt, summed over its tokens, and right is the model whose likeliest choice
is the expected one (``acc`` in EleutherAI's lm-evaluation-harness; not divided by length).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import CaseRecord, Measured
from pytest_llmbench.runner.asking import asked
from pytest_llmbench.runner.lives import Lives


class Choosing:
    """Adds to records which of the prompt's choices the variant finds the likeliest.

    Args:
        lives: the variants.
        say: told what is being done.
    """

    def __init__(self, lives: Lives, say: Callable[[str], None]) -> None:
        self._lives = lives
        self._say = say

    def with_choice(self, record: CaseRecord) -> CaseRecord:
        """Return *record* with its score and what that rests on, or with why there is none."""
        prompt = record.case.prompt
        if prompt.score != "loglikelihood" or record.error is not None:
            return record
        life = self._lives.records.get(record.case.variant)
        if life is not None and life.facts is not None and life.facts.random_weights:
            return record
        doing = f"weighing the choices of {record.case.key}"
        self._say(doing)
        found, why = asked(
            self._lives,
            record.case.variant,
            lambda worker: worker.weigh(
                prompt.messages, record.case.parameters, prompt.choices, doing
            ),
        )
        if found is None:
            return msgspec.structs.replace(record, no_score=why)
        right = likeliest(prompt.choices, found) == prompt.expect
        return with_score(record, float(right), dict(zip(prompt.choices, found, strict=True)))


def likeliest(choices: Sequence[str], logprobs: Sequence[float]) -> str | None:
    """Return the one that is likelier than all others; ``None`` where several are the likeliest."""
    best = max(logprobs)
    if list(logprobs).count(best) > 1:
        return None
    return choices[list(logprobs).index(best)]


def with_score(record: CaseRecord, score: float, weights: dict[str, float]) -> CaseRecord:
    """Return *record* with its *score* among its metrics."""
    every = {**record.metrics, "score": Measured(value=score, gate=score, rounds=None)}
    return msgspec.structs.replace(
        record,
        metrics={name: every[name] for name in CATALOGUE if name in every},
        choices=weights,
    )


def kept(before: CaseRecord, after: CaseRecord) -> CaseRecord:
    """Return *after*, measured again, with the choice that was made before."""
    if after.error is not None or not before.choices:
        return msgspec.structs.replace(after, no_score=before.no_score)
    return with_score(after, before.metrics["score"].value, before.choices)
