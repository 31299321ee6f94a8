"""The results file read back: what exporters work on, whichever session it is of.

An export at the end of a session goes the same way as one of a file, months later and elsewhere.
Only what an exporter needs is here; what else the file says is passed over.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import Environment, ModelFacts, SessionRecord
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.json_report import session_document
from pytest_llmbench.report.json_schema import SCHEMA_VERSION


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is read: fields that a later version adds are passed over."""


class Value(Known, frozen=True, kw_only=True):
    """A metric's value in its base unit; ``None`` stands for what was not finite."""

    value: float | None
    unit: str
    rounds: tuple[float | None, ...] = ()


class Ratio(Known, frozen=True, kw_only=True):
    """A metric as a multiple of the variant *to*'s, measured in turns."""

    to: str
    value: float | None


class TokenDrift(Known, frozen=True, kw_only=True):
    """How far a variant is from *to* on its text, token by token; *kl* in nats."""

    to: str
    kl: tuple[float | None, ...]
    agrees: tuple[bool, ...]


class Said(Known, frozen=True, kw_only=True):
    """What was said of one metric; *metric* is empty where all of the case is meant."""

    metric: str
    kind: VerdictKind
    sentence: str


class CaseResult(Known, frozen=True, kw_only=True):
    """One measured case; *error* says why it has no metrics."""

    id: str
    variant: str
    suite: str
    task: str | None
    prompt_id: str
    prompt: str
    parameters: Parameters
    text: str | None
    error: str | None
    metrics: dict[str, Value]
    relative: dict[str, Ratio]
    drift: TokenDrift | None
    verdicts: tuple[Said, ...]

    def value(self, metric: str) -> float | None:
        """Return *metric* in its base unit; ``None`` where it was not measured."""
        found = self.metrics.get(metric)
        return None if found is None else found.value


class VariantResult(Known, frozen=True, kw_only=True):
    """One variant's life; *error* and *skipped* say why it has no results."""

    config: dict[str, object]
    facts: ModelFacts | None
    life_cycle: dict[str, Value]
    warnings: tuple[str, ...]
    verdicts: tuple[Said, ...]
    error: str | None
    skipped: str | None

    def value(self, metric: str) -> float | None:
        """Return *metric* of its life in the base unit; ``None`` where it was not measured."""
        found = self.life_cycle.get(metric)
        return None if found is None else found.value


class MissingCase(Known, frozen=True, kw_only=True):
    """A case of the baseline that was not run."""

    case: str
    sentence: str


class Invocation(Known, frozen=True, kw_only=True):
    """How the session came about; *ended_at* is in ISO 8601."""

    ended_at: str


class Results(Known, frozen=True, kw_only=True):
    """One session: what was measured and said, in the order measured; variants by name."""

    schema_version: int
    environment: Environment
    variants: dict[str, VariantResult]
    cases: tuple[CaseResult, ...]
    missing: tuple[MissingCase, ...]
    reference: str | None
    invocation: Invocation | None = None


def session_results(record: SessionRecord) -> Results:
    """Return the session at hand as its results file would say it."""
    return msgspec.convert(session_document(record), Results)


def read_results(path: Path) -> Results:
    """Return what the results file at *path* says.

    Raises:
        ConfigError: it can't be read, is no results file, or one of another version.
    """
    wanted = "name a file that pytest --llmbench --llmbench-json=PATH wrote"
    try:
        # msgspec's own decoder refuses a lone surrogate, which a model's text may hold.
        document = json.loads(path.read_bytes())
    except OSError as exc:
        raise ConfigError(f"{path} can't be read: {exc.strerror or exc}; {wanted}") from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path} is no JSON ({exc}); {wanted}") from exc
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise ConfigError(_other_version(path, version))
    try:
        return msgspec.convert(document, Results)
    except msgspec.ValidationError as exc:
        raise ConfigError(f"{path} is no record of a session: {exc}; {wanted}") from exc


def _other_version(path: Path, version: object) -> str:
    if not isinstance(version, int):
        return (
            f"{path} has no schema_version, so it is no record of a session; name a file that "
            "pytest --llmbench --llmbench-json=PATH wrote"
        )
    return (
        f"{path} has schema_version {version}, and this pytest-llmbench reads {SCHEMA_VERSION}; "
        "export it with the version of pytest-llmbench that wrote it"
    )
