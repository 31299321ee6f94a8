"""The results file read back: what reports are written from, whichever session they are of.

A report that is written at the end of a session goes the same way as one that is written from the
file, months later and elsewhere: :func:`results_of` reads what
:func:`.json_report.session_document` makes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import (
    Environment,
    Invocation,
    ModelFacts,
    Readings,
    SessionRecord,
)
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.metrics.gaps import Gaps
from pytest_llmbench.report.json_report import session_document
from pytest_llmbench.report.json_schema import SCHEMA_VERSION

_LARGEST: Final = 2**30
"""Bytes of the largest file that is read: more is no record of a session."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is read: fields that a later version adds are passed over."""


class Value(Known, frozen=True, kw_only=True):
    """A metric's value in its base unit; ``None`` stands for what was not finite."""

    value: float | None
    unit: str
    rounds: tuple[float | None, ...] = ()


class Said(Known, frozen=True, kw_only=True):
    """What was said of one metric; *metric* is empty where all of the case is meant."""

    metric: str
    kind: VerdictKind
    sentence: str
    evidence: tuple[tuple[str, str], ...]
    p: float | None = None


class Ratio(Known, frozen=True, kw_only=True):
    """A metric as a multiple of another variant's."""

    to: str
    value: float | None


class TokenDrift(Known, frozen=True, kw_only=True):
    """How far a variant is from another one's text, token by token."""

    to: str
    kl: tuple[float | None, ...]
    agrees: tuple[bool, ...]


_Beside = TypeVar("_Beside", Ratio, TokenDrift)


class CaseResult(Known, frozen=True, kw_only=True):
    """One case, as the file has it; :mod:`.json_schema` says what each field means."""

    id: str
    variant: str
    suite: str
    task: str | None
    prompt_id: str
    prompt: str
    expect: str | float | None
    scorer: str | None
    parameters: Parameters
    text: str | None
    original: str | None
    finish_reason: str | None
    error: str | None
    metrics: dict[str, Value]
    gaps: Gaps | None
    relative: dict[str, Ratio]
    drift: TokenDrift | None
    no_drift: str | None
    verdicts: tuple[Said, ...]

    @property
    def asked(self) -> tuple[str, str, str]:
        """What variants have in common that were asked the same, in the same way."""
        return self.suite, self.prompt_id, self.parameters.label

    def value(self, metric: str) -> float | None:
        """Return *metric* in its base unit; ``None`` where it was not measured."""
        measured = self.metrics.get(metric)
        return None if measured is None else measured.value


class VariantResult(Known, frozen=True, kw_only=True):
    """One variant and its life, as the file has it."""

    config: dict[str, Any]  # Any: whatever keys the engine takes
    facts: ModelFacts | None
    life_cycle: dict[str, Value]
    warnings: tuple[str, ...]
    verdicts: tuple[Said, ...]
    error: str | None
    skipped: str | None

    def value(self, metric: str) -> float | None:
        """Return *metric* of its life in the base unit; ``None`` where it was not measured."""
        measured = self.life_cycle.get(metric)
        return None if measured is None else measured.value


class MissingCase(Known, frozen=True, kw_only=True):
    """A case of the baseline that was not run."""

    case: str
    sentence: str


class Results(Known, frozen=True, kw_only=True):
    """One session, as the file has it."""

    schema_version: int
    invocation: Invocation | None
    environment: Environment
    variants: dict[str, VariantResult]
    cases: tuple[CaseResult, ...]
    missing: tuple[MissingCase, ...]
    reference: str | None
    readings: Readings
    control: dict[str, float | None]


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """One session or several, as one report shows them.

    Attributes:
        sessions: each with its name, which is empty where there is only one.
        variants, cases, missing: those of all sessions. A variant that several sessions have is
            called ``NAME (SESSION)``.
        references: the variants that others are held against.
    """

    sessions: tuple[tuple[str, Results], ...]
    variants: dict[str, VariantResult]
    cases: tuple[CaseResult, ...]
    missing: tuple[MissingCase, ...]
    references: frozenset[str]


def read_results(path: Path) -> Results:
    """Return what the file at *path* holds.

    Raises:
        ConfigError: it can't be read, or is no record of this version.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(f"{path} is larger than 1 GiB, so it is no record of a session")
        document = json.loads(path.read_bytes())
    except OSError as exc:
        raise ConfigError(
            f"{path} can't be read: {exc.strerror or exc}; name a file that pytest --llmbench "
            "--llmbench-json=PATH wrote"
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise ConfigError(
            f"{path} is no JSON ({exc}); name a file that pytest --llmbench --llmbench-json=PATH "
            "wrote"
        ) from exc
    return results_of(document, shown=str(path))


def results_of(document: object, *, shown: str = "the results") -> Results:
    """Return *document*, of builtin types only, as facts; *shown* is how messages call it.

    Raises:
        ConfigError: it is of another version, or something in it is not as the schema has it.
    """
    version = document.get("schema_version") if isinstance(document, Mapping) else None
    if not isinstance(version, int):
        raise ConfigError(
            f"{shown} has no schema_version, so it is no record of a session; name a file that "
            "pytest --llmbench --llmbench-json=PATH wrote"
        )
    if version != SCHEMA_VERSION:
        raise ConfigError(
            f"{shown} has the schema_version {version}, and this pytest-llmbench reads "
            f"{SCHEMA_VERSION}; take the version of pytest-llmbench that wrote it"
        )
    try:
        return msgspec.convert(document, Results, str_keys=True)
    except msgspec.ValidationError as exc:
        raise ConfigError(
            f"{shown} is not as docs/schema/results.schema.json has it: {exc}; write it again "
            "with this version, by pytest --llmbench --llmbench-json=PATH"
        ) from exc


def session_results(record: SessionRecord) -> Results:
    """Return the session at hand as its results file would say it."""
    return results_of(session_document(record))


def study_of(sessions: Sequence[tuple[str, Results]]) -> Study:
    """Return *sessions*, at least one with its name, as one study."""
    named = tuple(sessions) if len(sessions) > 1 else tuple(("", r) for _, r in sessions)
    counted = Counter(variant for _, results in named for variant in _variants(results))
    shared = {variant for variant, times in counted.items() if times > 1}
    renamed = tuple(
        (name, _renamed(results, {v: f"{v} ({name})" for v in _variants(results) if v in shared}))
        for name, results in named
    )
    return Study(
        sessions=renamed,
        variants={v: life for _, results in renamed for v, life in results.variants.items()},
        cases=tuple(case for _, results in renamed for case in results.cases),
        missing=tuple(case for _, results in renamed for case in results.missing),
        references=frozenset(r.reference for _, r in renamed if r.reference is not None),
    )


def _variants(results: Results) -> dict[str, None]:
    return dict.fromkeys((*results.variants, *(case.variant for case in results.cases)))


def _renamed(results: Results, names: Mapping[str, str]) -> Results:
    """Return *results* with variants called by *names*, wherever they stand."""
    if not names:
        return results

    def to_new(old: _Beside) -> _Beside:
        return msgspec.structs.replace(old, to=names.get(old.to, old.to))

    def case(old: CaseResult) -> CaseResult:
        new = names.get(old.variant, old.variant)
        before = f"{old.suite}/"
        rest = old.id.removeprefix(f"{before}{old.variant}")
        return msgspec.structs.replace(
            old,
            variant=new,
            id=old.id if rest == old.id else f"{before}{new}{rest}",
            relative={metric: to_new(ratio) for metric, ratio in old.relative.items()},
            drift=old.drift and to_new(old.drift),
        )

    reference = results.reference
    return msgspec.structs.replace(
        results,
        variants={names.get(name, name): life for name, life in results.variants.items()},
        cases=tuple(map(case, results.cases)),
        reference=None if reference is None else names.get(reference, reference),
    )
