"""``llmbench report``: a report of sessions that are over, from what ``--llmbench-json`` kept."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.output import say
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.files import check_file
from pytest_llmbench.report.libraries import check_libraries
from pytest_llmbench.report.results import Study, read_results, study_of


def run(arguments: argparse.Namespace) -> Exit:
    """Read the records, write what was asked for, and say what was written.

    Raises:
        ConfigError: nothing was asked for, a record can't be read, or a file can't be written.
    """
    _check(arguments.records, arguments.html, arguments.figures)
    study = read_study(arguments.records)
    if arguments.html is not None:
        from pytest_llmbench.report.html_report import write_html

        write_html(arguments.html, study, flag="--html")
        say(f"wrote {arguments.html}")
    if arguments.figures is not None:
        from pytest_llmbench.report.static_figures import write_figures

        written = write_figures(arguments.figures, study)
        say(f"wrote {len(written)} files in {arguments.figures}")
    return Exit.FINE


def read_study(records: Sequence[Path]) -> Study:
    """Return what *records* hold as one study; each is called by its file's name.

    Raises:
        ConfigError: one of them can't be read.
    """
    counted = Counter(path.stem for path in records)
    return study_of(
        [
            (path.stem if counted[path.stem] == 1 else str(path), read_results(path))
            for path in dict.fromkeys(records)
        ]
    )


def _check(records: Sequence[Path], html: Path | None, figures: Path | None) -> None:
    """Refuse what can't be done before anything is read."""
    if html is None and figures is None:
        raise ConfigError(
            "llmbench report: nothing is asked for; type --html=report.html, --figures=figures, "
            "or both"
        )
    check_libraries("llmbench report")
    if html is not None:
        if html.resolve() in {path.resolve() for path in records}:
            raise ConfigError(f"--html={html} is the record itself; name another file")
        check_file(html, flag="--html")
    if figures is not None and figures.exists() and not figures.is_dir():
        raise ConfigError(f"--figures={figures} is a file; name a folder")
