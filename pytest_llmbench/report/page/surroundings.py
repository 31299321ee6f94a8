"""Where the sessions ran, what the variants are, and how to do it again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Final

from pytest_llmbench.report.commands import commands
from pytest_llmbench.report.figures.facts import name_of
from pytest_llmbench.report.results import Results, Study, VariantResult
from pytest_llmbench.report.text import one_line, plain
from pytest_llmbench.units import format_percent, format_seconds
from pytest_llmbench.verdict.words import plural

_LONGEST: Final = 1000
_MOST_WARNINGS: Final = 20

Pairs = tuple[tuple[str, str], ...]
"""Labels and values, as they may be shown."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """One session: its name, when and how it ran, and where.

    *commands* are the lines to type to do it again.
    """

    name: str
    facts: Pairs
    identity: Pairs
    context: Pairs
    commands: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VariantFacts:
    """One variant: what was configured, and what its engine says of what it loaded."""

    name: str
    reference: bool
    problem: str | None
    skipped: bool
    config: Pairs
    identity: Pairs
    settings: Pairs
    warnings: tuple[str, ...]
    more_warnings: int

    @property
    def warned(self) -> str:
        """How many warnings there were."""
        return plural(len(self.warnings) + self.more_warnings, "warning")


def session_facts(study: Study) -> tuple[SessionFacts, ...]:
    """Return what is known of each session."""
    return tuple(
        SessionFacts(
            name=one_line(name),
            facts=_facts(results),
            identity=_pairs(results.environment.identity),
            context=_pairs(results.environment.context),
            commands=commands(results),
        )
        for name, results in study.sessions
    )


def variant_facts(study: Study) -> tuple[VariantFacts, ...]:
    """Return what is known of each variant."""
    return tuple(
        _variant(name, life, reference=name in study.references)
        for name, life in study.variants.items()
    )


def when(study: Study) -> str:
    """Return when the sessions began, the first to the last; empty where nobody noted it."""
    began = sorted(r.invocation.started_at for _, r in study.sessions if r.invocation)
    shown = list(dict.fromkeys(one_line(each[:16].replace("T", " "), 40) for each in began))
    return " to ".join(shown[:: max(1, len(shown) - 1)])


def compared(study: Study) -> str:
    """Return what the sessions were compared with."""
    said = dict.fromkeys(r.invocation.compared_with for _, r in study.sessions if r.invocation)
    return one_line("; ".join(said), 300)


def _variant(name: str, life: VariantResult, *, reference: bool) -> VariantFacts:
    facts = life.facts
    problem = life.error or life.skipped
    return VariantFacts(
        name=name_of(name),
        reference=reference,
        problem=None if problem is None else plain(problem[:_LONGEST]),
        skipped=life.skipped is not None,
        config=_pairs(life.config),
        identity=() if facts is None else _pairs({"device": facts.device, **facts.identity}),
        settings=() if facts is None else _pairs(facts.settings),
        warnings=tuple(one_line(text, 300) for text in life.warnings[:_MOST_WARNINGS]),
        more_warnings=max(0, len(life.warnings) - _MOST_WARNINGS),
    )


def _facts(results: Results) -> Pairs:
    asked, readings = results.invocation, results.readings
    pairs: dict[str, object] = {}
    if asked is not None:
        pairs |= {
            "began": _time(asked.started_at),
            "ended": _time(asked.ended_at),
            "compared with": asked.compared_with,
        }
    if results.reference is not None:
        pairs["reference"] = results.reference
    if readings.pace_s is not None:
        pairs["pace of the processor"] = f"{format_seconds(readings.pace_s)} a piece of work"
    if readings.calibration_s is not None:
        pairs["pace of the memory"] = f"{format_seconds(readings.calibration_s)} a piece of work"
    changes = {name: change for name, change in results.control.items() if change is not None}
    if changes:
        pairs["reference, measured again at the end"] = ", ".join(
            f"{name} {format_percent(change, signed=True)}" for name, change in changes.items()
        )
    return _pairs(pairs)


def _pairs(told: Mapping[str, object]) -> Pairs:
    return tuple((one_line(name, 80), one_line(_text(v), _LONGEST)) for name, v in told.items())


def _time(iso: str) -> str:
    return iso.replace("T", " ").replace("+00:00", " UTC")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
