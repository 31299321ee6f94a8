"""The summary of a GitHub Actions step: the Markdown report at the end of the file it names.

Source of the variable and of the limit: GitHub's documentation of workflow commands, "Adding a job
summary".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pytest_llmbench.report.exports.markdown import render
from pytest_llmbench.report.results import Results

VARIABLE: Final = "GITHUB_STEP_SUMMARY"
LIMIT: Final = 1024 * 1024
"""Bytes of a step's summary; GitHub shows nothing of a larger one."""

_LEAST: Final = 2048
"""Bytes that a report is not written without: there would be hardly anything in it."""


def summary_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that the step's summary is read from; ``None`` where there is none."""
    name = environ.get(VARIABLE)
    return Path(name) if name else None


def append_summary(results: Results, path: Path) -> str:
    """Add the report to the summary and return what was done, as a sentence.

    Nobody asked for it by an option, so that what goes wrong is said and no more.
    """
    try:
        room = LIMIT - _size(path) - 1
        if room < _LEAST:
            return f"not added to the step's summary: {VARIABLE} is full already"
        with path.open("ab") as file:
            file.write(f"\n{render(results, limit=room)}".encode())
    except OSError as exc:
        return f"not added to the step's summary: {exc.strerror or exc} ({VARIABLE})"
    return "added to the step's summary"


def _size(path: Path) -> int:
    """Return how many bytes *path* has; 0 where it is not there yet."""
    return path.stat().st_size if path.exists() else 0
