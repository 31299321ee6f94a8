"""A baseline: the kept sessions of one machine under one name.

These facts are also the stored format; :mod:`pytest_llmbench.baselines.format` holds its
history and reads and writes it.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.record import Environment, Readings


class BaselineVariant(Fact, frozen=True, kw_only=True):
    """One variant in one kept session; *metrics* are its life cycle's, in base units.

    *answers* stands for what how it answers depends on: the prompts, and the reference.
    """

    identity: dict[str, str]
    settings: dict[str, str]
    metrics: dict[str, float]
    answers: str | None = None


class BaselineCase(Fact, frozen=True, kw_only=True):
    """One case in one kept session.

    Attributes:
        variant: whose case it is.
        workload: what was asked.
        metrics: session statistics, in base units.
        relative: noisy metrics as multiples of the reference's, measured in turns with it.
        original: stands for the text, and the model, that drift is from.
        launches: fresh processes that its multiples of the reference's are the middle of.
    """

    variant: str
    workload: dict[str, str]
    metrics: dict[str, float]
    relative: dict[str, float] = {}  # noqa: RUF012 — msgspec makes a new one for each
    original: str | None = None
    launches: Annotated[int, msgspec.Meta(ge=1)] = 1


class BaselineSession(Fact, frozen=True, kw_only=True):
    """One kept session: when, where, and what was measured; cases by :attr:`.Case.key`.

    *reference* is the variant that the cases' *relative* metrics are multiples of; *readings*
    say how fast the machine itself was.
    """

    saved_at: str
    environment: Environment
    variants: dict[str, BaselineVariant]
    cases: dict[str, BaselineCase]
    reference: str | None = None
    readings: Readings = Readings()


class Baseline(Fact, frozen=True, kw_only=True):
    """All kept sessions of *machine* under *name*, oldest first."""

    schema_version: int
    machine: str
    name: str
    sessions: tuple[BaselineSession, ...]
