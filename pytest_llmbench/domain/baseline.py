"""A baseline: the kept sessions of one machine under one name.

These facts are also the stored format; :mod:`pytest_llmbench.baselines.format` holds its
history and reads and writes it.
"""

from __future__ import annotations

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.record import Environment


class BaselineVariant(Fact, frozen=True, kw_only=True):
    """One variant in one kept session; *metrics* are its life cycle's, in base units."""

    identity: dict[str, str]
    settings: dict[str, str]
    metrics: dict[str, float]


class BaselineCase(Fact, frozen=True, kw_only=True):
    """One case in one kept session; *metrics* are session statistics, in base units."""

    variant: str
    workload: dict[str, str]
    metrics: dict[str, float]


class BaselineSession(Fact, frozen=True, kw_only=True):
    """One kept session: when, where, and what was measured; cases by :attr:`.Case.key`."""

    saved_at: str
    environment: Environment
    variants: dict[str, BaselineVariant]
    cases: dict[str, BaselineCase]


class Baseline(Fact, frozen=True, kw_only=True):
    """All kept sessions of *machine* under *name*, oldest first."""

    schema_version: int
    machine: str
    name: str
    sessions: tuple[BaselineSession, ...]
