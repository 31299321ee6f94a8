"""What a test gets: metrics that behave as numbers and know their rounds."""

from __future__ import annotations

import math
from typing import Self

import numpy as np

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.record import CaseRecord, Measured, VariantRecord
from pytest_llmbench.domain.trace import Round
from pytest_llmbench.errors import NotMeasuredError
from pytest_llmbench.units import format_amount
from pytest_llmbench.verdict.absence import absent_from_case, absent_from_life


class Value(float):
    """One metric: the number itself, in its base unit, with the rounds behind it.

    It compares and calculates as the float it is: ``result.latency_s <= 2``,
    ``a.decode_tps / b.decode_tps``.

    Attributes:
        metric: its definition: name, unit, better direction.
        rounds: one value a round, in order; empty for a metric that has no rounds.
    """

    metric: Metric
    rounds: tuple[float, ...]

    def __new__(cls, metric: Metric, measured: Measured) -> Self:
        """Return *measured* as a number."""
        self = super().__new__(cls, measured.value)
        self.metric = metric
        self.rounds = measured.rounds or ()
        return self

    @property
    def unit(self) -> str:
        """The base unit: ``s``, ``B``, ``tok/s`` …; ``1`` for a plain number."""
        return self.metric.unit

    @property
    def median(self) -> float:
        """The median of the rounds; the number itself where there are none."""
        return self.quantile(0.5)

    @property
    def p90(self) -> float:
        """The 90th percentile of the rounds, linear between neighbours (numpy's default)."""
        return self.quantile(0.9)

    @property
    def min(self) -> float:
        """The smallest of the rounds."""
        return self.quantile(0.0)

    @property
    def max(self) -> float:
        """The largest of the rounds."""
        return self.quantile(1.0)

    def quantile(self, share: float) -> float:
        """Return the quantile *share* (0 to 1) of the rounds."""
        return float(np.quantile(self.rounds, share)) if self.rounds else float(self)

    def __repr__(self) -> str:
        """The metric as people read it: what a failed assertion shows."""
        amount = "nan" if math.isnan(self) else format_amount(float(self), self.metric.unit)
        rounds = f", {len(self.rounds)} rounds" if self.rounds else ""
        return f"<{self.metric.name} {amount}{rounds}>"

    __str__ = float.__repr__
    __hash__ = float.__hash__


class Result:
    """One measured case. Every metric of the catalogue is an attribute: a :class:`Value`.

    Attributes:
        case: what was measured.
        text: the generated text, of the last round.
        finish_reason: ``stop`` or ``length``.
        traces: the timed rounds, raw.

    Raises:
        NotMeasuredError: on reading a metric that this case does not have.
    """

    def __init__(self, record: CaseRecord, variant: VariantRecord | None) -> None:
        self._record = record
        self._variant = variant
        self._life = variant.life_cycle if variant else {}

    @property
    def case(self) -> Case:
        """What was measured."""
        return self._record.case

    @property
    def text(self) -> str:
        """The generated text, of the last round."""
        return self._record.text or ""

    @property
    def finish_reason(self) -> str | None:
        """``stop`` at an end token, ``length`` at the token limit."""
        return self._record.finish_reason

    @property
    def traces(self) -> tuple[Round, ...]:
        """The timed rounds: stamps, tokens and contention."""
        return self._record.rounds

    @property
    def metrics(self) -> dict[str, Value]:
        """Every metric measured: the case's, then those of its variant's life so far."""
        return {
            name: Value(CATALOGUE[name], measured)
            for name, measured in {**self._life, **self._record.metrics}.items()
        }

    def __getattr__(self, name: str) -> Value:
        """Return the metric *name*."""
        if name.startswith("_"):
            raise AttributeError(name)
        measured = self._record.metrics.get(name) or self._life.get(name)
        if measured is not None:
            return Value(CATALOGUE[name], measured)
        have = ", ".join((*self._record.metrics, *self._life))
        if name in CATALOGUE:
            raise NotMeasuredError(
                f"{name} was not measured for {self.case.key}: {self._why_absent(name)} "
                f"(it has: {have})"
            )
        raise NotMeasuredError(f"there is no metric {name!r} (this result has: {have})")

    def _why_absent(self, name: str) -> str:
        if CATALOGUE[name].of == "case":
            facts = self._variant.facts if self._variant else None
            return absent_from_case(name, self._record, facts)
        if self._variant is None:
            return "its variant's life is not known"
        return absent_from_life(name, self._variant)

    def __repr__(self) -> str:
        """The case and its main figures."""
        shown = [repr(self.metrics[n]) for n in ("ttft_s", "decode_tps") if n in self.metrics]
        return f"<Result {self.case.key} {' '.join(shown)}>"
