"""What code that a model wrote may use up when it is run."""

from __future__ import annotations

from pytest_llmbench.domain.fact import Fact


class CodeLimits(Fact, frozen=True, kw_only=True):
    """Bounds of one run, in seconds of the clock and in bytes of address space."""

    time_s: float
    memory_bytes: int
