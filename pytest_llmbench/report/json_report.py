"""The results file: everything that a session measured and said, for programs.

:mod:`.json_schema` describes its shape, ``docs/schema/results.schema.json`` holds it. Values are
in base units; a number that is not finite is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.drift import Drift
from pytest_llmbench.domain.record import JudgedCase, JudgedVariant, Measured, SessionRecord
from pytest_llmbench.domain.verdict import Verdict
from pytest_llmbench.metrics.gaps import gaps
from pytest_llmbench.report.files import write_file
from pytest_llmbench.report.json_schema import SCHEMA_VERSION, results_schema

__all__ = ["results_schema", "session_document", "write_json"]

_FLAG: Final = "--llmbench-json"


def session_document(record: SessionRecord) -> dict[str, object]:
    """Return *record* as the results file holds it, of builtin types only."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "invocation": record.invocation,
        "environment": record.environment,
        "variants": {judged.record.id: _variant(judged) for judged in record.variants},
        "cases": [_case(judged) for judged in record.cases],
        "missing": [{"case": key, "sentence": verdict.sentence} for key, verdict in record.missing],
        "reference": record.reference,
        "readings": record.readings,
        "control": record.control,
    }
    finite = _finite(msgspec.to_builtins(document, enc_hook=str, str_keys=True))
    assert isinstance(finite, dict)
    return finite


def write_json(path: Path, record: SessionRecord) -> None:
    """Put *record* at *path* in one step, making the folders that lead there.

    Raises:
        ConfigError: *path* can't be written; what was there before is untouched.
    """
    text = json.dumps(session_document(record), indent=2, ensure_ascii=False, allow_nan=False)
    # A lone surrogate has no UTF-8, but its JSON escape is the very text that this handler writes.
    data = f"{text}\n".encode("utf-8", errors="backslashreplace")
    write_file(path, data, flag=_FLAG)


def _variant(judged: JudgedVariant) -> dict[str, object]:
    record = judged.record
    return {
        "config": record.config,
        "facts": record.facts,
        "life_cycle": _metrics(record.life_cycle),
        "warnings": record.warnings,
        "verdicts": _verdicts(judged.verdicts),
        "error": record.error,
        "skipped": record.skipped,
    }


def _case(judged: JudgedCase) -> dict[str, object]:
    record = judged.record
    case = record.case
    return {
        "id": case.key,
        "variant": case.variant,
        "suite": case.suite,
        "task": case.prompt.task,
        "prompt_id": case.prompt.id,
        "prompt": case.prompt.text,
        "expect": case.prompt.expect,
        "scorer": case.prompt.score,
        "parameters": case.parameters,
        "text": record.text,
        "original": record.original,
        "finish_reason": record.finish_reason,
        "error": record.error,
        "metrics": _metrics(record.metrics),
        "gaps": gaps([entry.trace for entry in record.rounds]),
        "relative": record.relative,
        "drift": _drift(record.drift),
        "no_drift": record.no_drift,
        "no_similarity": record.no_similarity,
        "departures": record.departures,
        "drift_noise": record.drift_noise,
        "choices": record.choices,
        "no_score": record.no_score,
        "verdicts": _verdicts(judged.verdicts),
        "warmup_s": record.warmup_s,
        "rounds": [{"launch": entry.launch, "turn": entry.turn} for entry in record.rounds],
        "contention": [entry.contention for entry in record.rounds],
    }


def _drift(found: Drift | None) -> dict[str, object] | None:
    """Return the drift token by token, in four digits: there may be many."""
    if found is None:
        return None
    return {
        "to": found.to,
        "kl": [_digits(nats) for nats in found.kl],
        "agrees": found.agrees,
        "delta_p": [_digits(change) for change in found.delta_p],
        "truncated": found.truncated,
    }


def _digits(value: float) -> float:
    return float(f"{value:.4g}")


def _metrics(metrics: Mapping[str, Measured]) -> dict[str, dict[str, object]]:
    return {name: _measured(name, measured) for name, measured in metrics.items()}


def _measured(name: str, measured: Measured) -> dict[str, object]:
    told: dict[str, object] = {"value": measured.value, "unit": CATALOGUE[name].unit}
    if measured.rounds is not None:
        told["rounds"] = measured.rounds
    if measured.launches:
        told["launches"] = measured.launches
    return told


def _verdicts(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    return [
        {
            "metric": v.metric,
            "kind": v.kind,
            "sentence": v.sentence,
            "p": v.p,
            "evidence": v.block,
        }
        for v in verdicts
    ]


def _finite(value: object) -> object:
    """Return *value* with null for each number in it that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
