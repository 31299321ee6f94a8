"""``llmbench export``: a results file in the format of another tool, or for people."""

from __future__ import annotations

import argparse
import sys

from pytest_llmbench.cli.configuration import as_typed
from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.output import say
from pytest_llmbench.report.exports.registry import export_named
from pytest_llmbench.report.files import write_file
from pytest_llmbench.report.results import read_results


def run(arguments: argparse.Namespace) -> Exit:
    """Write one record in one format, to a file or to standard output."""
    text = export_named(arguments.format).render(read_results(arguments.record))
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        write_file(arguments.output, text.encode(), flag="--output")
        say(f"wrote {as_typed(arguments.output)}")
    return Exit.FINE
