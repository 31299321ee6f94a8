"""Limits (absolute bounds that a user set) and tolerances (worsening that a user accepts)."""

from __future__ import annotations

from typing import Literal

from pytest_llmbench.domain.fact import Fact

Operator = Literal["<=", ">=", "<", ">", "=="]


class Limit(Fact, frozen=True, kw_only=True):
    """``metric operator bound``; *origin* says where it was written, for messages."""

    metric: str
    operator: Operator
    bound: float
    origin: str

    def holds(self, value: float) -> bool:
        """Return whether *value*, in the metric's base unit, keeps the limit."""
        compare = {
            "<=": value <= self.bound,
            ">=": value >= self.bound,
            "<": value < self.bound,
            ">": value > self.bound,
            "==": value == self.bound,
        }
        return compare[self.operator]


class Tolerance(Fact, frozen=True, kw_only=True):
    """How much worse than the baseline is accepted: a share of it, or an absolute amount."""

    metric: str
    share: float | None
    amount: float | None
    origin: str


class Gates(Fact, frozen=True, kw_only=True):
    """The limits and tolerances of one scope (all, a suite, a variant, a test), by metric."""

    limits: dict[str, Limit] = {}  # noqa: RUF012 — msgspec makes a new one for each
    tolerances: dict[str, Tolerance] = {}  # noqa: RUF012 — as above

    def narrowed(self, other: Gates) -> Gates:
        """Return these gates with *other*'s on top: the narrower scope wins, metric by metric."""
        return Gates(
            limits={**self.limits, **other.limits},
            tolerances={**self.tolerances, **other.tolerances},
        )
