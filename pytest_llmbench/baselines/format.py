"""The stored format of a baseline: small JSON that reads well in a diff.

Keys are sorted. Each case and each variant has a line of its own, so that a line of a diff is a
case. Sessions are joined by a line ``}, {``, so that adding one adds lines and changes none.
Values are rounded to six significant digits, those of exact metrics kept in full.

History of ``schema_version``:

1. First version: ``machine``, ``name``, ``sessions`` (oldest first); a session has ``saved_at``,
   ``environment`` (``identity``, ``context``), ``variants`` (``identity``, ``settings``,
   ``metrics``) and ``cases`` by key (``variant``, ``workload``, ``metrics``). Metrics are
   session statistics in base units.

2. A session also has ``reference`` and ``readings`` (``pace_s``, ``calibration_s``), a case
   ``relative``: noisy metrics as multiples of the reference's, ``launches``, where its numbers
   are of more than one fresh process, and ``original``, which stands for the text that drift is
   from; a variant ``answers``, likewise for all of its answers. A file of
   version 1 is read as one whose sessions have none of it, and written as version 2.

A reader refuses what is newer than itself. A change that an older reader would misread takes the
next number, a line here, and a conversion from the number before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.metric import Kind
from pytest_llmbench.domain.record import Readings
from pytest_llmbench.errors import BaselineError

SCHEMA_VERSION: Final = 2

_DIGITS: Final = 6


def encode(baseline: Baseline) -> bytes:
    """Return *baseline* as the bytes of its file: the same facts give the same bytes.

    Raises:
        BaselineError: a value is not finite.
    """
    try:
        return ("\n".join(_lines(baseline)) + "\n").encode()
    except ValueError as exc:
        raise BaselineError(
            f"baseline {baseline.name!r} can't be written: a metric is not a finite number ({exc})"
        ) from exc


def decode(data: bytes, path: Path) -> Baseline:
    """Return the baseline in *data*; *path* is where it was read, for messages.

    Raises:
        BaselineError: corrupt, or newer than this version of pytest-llmbench.
    """
    try:
        version = stored_version(data)
        if version is not None and version > SCHEMA_VERSION:
            raise newer(path, version)
        baseline = msgspec.json.decode(data, type=Baseline)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BaselineError(f"baseline {path} can't be read: {exc}; {_remedy(path)}") from exc
    if baseline.schema_version < 1:
        raise BaselineError(
            f"baseline {path} has schema_version {baseline.schema_version}, which never was; "
            f"{_remedy(path)}"
        )
    return baseline


def _remedy(path: Path) -> str:
    """Return what to type; comparing has to be off, for it would read the file first."""
    return (
        "restore it from version control, or start anew with --llmbench-no-compare "
        f"--llmbench-replace={path.stem}"
    )


def newer(path: Path, version: int) -> BaselineError:
    """Return the error for a file whose format is newer than this version reads."""
    return BaselineError(
        f"baseline {path} has schema_version {version}, but this pytest-llmbench reads up to "
        f"{SCHEMA_VERSION}; upgrade it with: pip install --upgrade pytest-llmbench"
    )


def stored_version(data: bytes) -> int | None:
    """Return the ``schema_version`` that *data* states, ``None`` where it states none.

    Raises:
        msgspec.DecodeError: *data* is not JSON.
        UnicodeDecodeError: *data* is not UTF-8.
    """
    content = msgspec.json.decode(data)
    version = content.get("schema_version") if isinstance(content, dict) else None
    return version if isinstance(version, int) else None


def _lines(baseline: Baseline) -> Iterator[str]:
    yield "{"
    yield f'"machine": {_compact(baseline.machine)},'
    yield f'"name": {_compact(baseline.name)},'
    yield f'"schema_version": {baseline.schema_version},'
    yield '"sessions": ['
    for number, session in enumerate(baseline.sessions):
        yield "}, {" if number else "{"
        yield from _session(session)
    if baseline.sessions:
        yield "}"
    yield "]"
    yield "}"


def _session(session: BaselineSession) -> Iterator[str]:
    cases = {
        key: {
            "metrics": _rounded(c.metrics),
            **({"relative": _rounded(c.relative)} if c.relative else {}),
            **({"original": c.original} if c.original is not None else {}),
            **({"launches": c.launches} if c.launches > 1 else {}),
            "variant": c.variant,
            "workload": c.workload,
        }
        for key, c in session.cases.items()
    }
    environment = {
        "context": session.environment.context,
        "identity": session.environment.identity,
    }
    variants = {
        name: {
            **({"answers": v.answers} if v.answers is not None else {}),
            "identity": v.identity,
            "metrics": _rounded(v.metrics),
            "settings": v.settings,
        }
        for name, v in session.variants.items()
    }
    yield from _table("cases", cases)
    yield from _table("environment", environment)
    yield f' "readings": {_compact(_digits(session.readings))},'
    yield f' "reference": {_compact(session.reference)},'
    yield f' "saved_at": {_compact(session.saved_at)},'
    yield from _table("variants", variants, last=True)


def _table(name: str, rows: Mapping[str, object], *, last: bool = False) -> Iterator[str]:
    """Yield an object with one line a row, sorted."""
    yield f' "{name}": {{'
    for number, key in enumerate(sorted(rows), start=1):
        comma = "," if number < len(rows) else ""
        yield f"  {_compact(key)}: {_compact(rows[key])}{comma}"
    yield f" }}{'' if last else ','}"


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _rounded(metrics: Mapping[str, float]) -> dict[str, float | int]:
    return {name: _number(name, value) for name, value in metrics.items()}


def _digits(readings: Readings) -> dict[str, float | None]:
    return {
        name: None if value is None else float(f"{value:.{_DIGITS}g}")
        for name, value in msgspec.structs.asdict(readings).items()
    }


def _number(name: str, value: float) -> float | int:
    """Return *value* as it is stored; whole numbers lose their ``.0``."""
    metric = CATALOGUE.get(name)
    exact = metric is not None and metric.kind is Kind.EXACT
    kept = value if exact else float(f"{value:.{_DIGITS}g}")
    return int(kept) if kept.is_integer() else kept
