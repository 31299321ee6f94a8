"""What a metric is: name, unit, better direction, kind, and how it is judged."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.units import Unit


class Kind(StrEnum):
    """How a metric repeats when nothing has changed."""

    NOISY = "noisy"
    NEAR_EXACT = "near-exact"
    EXACT = "exact"
    INFORMATIVE = "informative"


class Statistic(StrEnum):
    """Which number of a case's rounds stands for the session when sessions are compared."""

    MIDDLE = "middle"
    LOW_QUANTILE = "low-quantile"
    VALUE = "value"


class Metric(Fact, frozen=True, kw_only=True):
    """One named quantity.

    Attributes:
        name: ends in its unit where it has one (``_s``, ``_bytes``, ``_tps``).
        unit: base unit of every stored value.
        better: ``"lower"`` or ``"higher"``; ``None`` where neither is better.
        kind: see :class:`Kind`.
        of: what it belongs to: a ``"case"``, or a ``"variant"`` (its life cycle).
        gated: compared with the baseline unless the user says otherwise. Of the metrics that
            restate one another (``itl_s``, ``tpot_s``, ``decode_tps``, ``latency_s``,
            ``output_tps``) one alone is gated, so that one slowdown is one verdict.
        statistic: the session's number, see :class:`Statistic`.
        tolerance: default accepted worsening, as a share of the baseline.
        floor: worsening that is never judged, in the base unit (clock or allocator grain).
        noise: standard deviation between launches of unchanged code, as a share, that is assumed
            as far as sessions do not show it (:mod:`pytest_llmbench.verdict.noise`).
        jitter: further standard deviation in the base unit, which is assumed of a baseline of one
            session and gives way to what more of them show: what waking threads and dispatching
            kernels adds to a token, however small the model.
        summary: the definition in one line.
        group: what it restates together with others, which count as one thing judged; ``None``
            where it stands alone.
        part: what is said beside the reference: ``"drift"`` of a case's text, or ``"answers"`` of
            all of a variant's.
        undrifted: what it is where nothing differs from the reference; ``None``: that depends, or
            it is not said beside a reference.
    """

    name: str
    unit: Unit
    better: Literal["lower", "higher"] | None
    kind: Kind
    of: Literal["case", "variant"]
    summary: str
    gated: bool = False
    statistic: Statistic = Statistic.VALUE
    tolerance: float = 0.0
    floor: float = 0.0
    noise: float = 0.0
    jitter: float = 0.0
    group: str | None = None

    part: Literal["drift", "answers"] | None = None
    undrifted: float | None = None

    @property
    def of_answers(self) -> bool:
        """Whether it says how a variant's answers are beside the reference's."""
        return self.part == "answers"

    @property
    def of_drift(self) -> bool:
        """Whether it says how far a text or its probabilities are from the reference's."""
        return self.part == "drift"
