"""How surely a single verdict has to be right so that a whole session seldom cries wolf."""

from __future__ import annotations

from typing import Final

from pytest_llmbench.domain.fact import Fact

SESSION: Final = 0.01
"""Sessions of unchanged code that may report a regression: one in a hundred, at most."""

SUSPICIOUS: Final = 0.05
"""From evidence that looks like this once in twenty times, a variant is launched again."""

CONFIRMING: Final = 10.0
"""From evidence so many times as weak as a verdict needs nothing is ok, and a case is measured
again. Of a hundred cases five look like :data:`SUSPICIOUS` by chance, in every session."""


def doubtful(alpha: float) -> float:
    """Return the probability from which down a verdict that may err with *alpha* is not ok."""
    return min(SUSPICIOUS, CONFIRMING * alpha)


class Alarms(Fact, frozen=True, kw_only=True):
    """How many things are judged on noisy metrics, known once the tests are collected.

    Half of what a session may err is for the variants as wholes, half for single cases, and in
    each half every one gets the same part (Bonferroni): a verdict stands when its test runs, it
    can't wait for the others as Holm's procedure would. Metrics that restate one another count
    once.

    Attributes:
        cases: cases times their groups of noisy gated metrics.
        variants: variants times those groups, and times of their lives that are compared.
    """

    cases: int = 1
    variants: int = 1

    @property
    def of_case(self) -> float:
        """The probability with which one case may be accused wrongly."""
        return SESSION / 2 / max(1, self.cases)

    @property
    def of_variant(self) -> float:
        """The probability with which one variant may be accused wrongly."""
        return SESSION / 2 / max(1, self.variants)

    @property
    def suspected_case(self) -> float:
        """From this probability down, a case is measured again before it may fail."""
        return doubtful(self.of_case)
