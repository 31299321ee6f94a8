"""What can be typed: every command, its options, and the module that answers."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_EXITS: Final = """\
exit codes:
  0    fine
  1    the answer is no: selftest failed or could not tell, doctor found something missing
  2    wrong usage or configuration, or a file that can't be read
  130  interrupted
  141  the reader of the output went away
"""

_HERE: Final = "pytest_llmbench.cli"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; ``module`` of what it parses is who answers."""
    parser = argparse.ArgumentParser(
        prog="llmbench",
        description="What there is to measure, and whether measuring can be trusted here.",
        epilog=f"To measure, type: pytest --llmbench\n\n{_EXITS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="print the version and stop")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_list(commands)
    _add_show(commands)
    _add_doctor(commands)
    _add_export(commands)
    _add_report(commands)
    _add_schema(commands)
    _add_selftest(commands)
    return parser


class _Version(argparse.Action):
    """Prints the version, asked for only when it is wanted."""

    def __init__(self, **settings: Any) -> None:  # Any: argparse's own keyword arguments
        super().__init__(**{**settings, "nargs": 0})

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002 — argparse calls with all four
        values: str | Sequence[object] | None,  # noqa: ARG002 — as above
        option_string: str | None = None,  # noqa: ARG002 — as above
    ) -> None:
        """Print and stop."""
        from importlib.metadata import version

        sys.stdout.write(f"pytest-llmbench {version('pytest-llmbench')}\n")
        parser.exit()


def _add_list(commands: Any) -> None:  # Any: argparse's private type of subparsers, here and below
    parser = _command(commands, "list", "listing", "list variants, suites and baselines")
    _config(parser)
    _baselines(parser)


def _add_show(commands: Any) -> None:
    parser = _command(commands, "show", "showing", "show one variant, suite, metric or baseline")
    _example(parser)
    _history(parser)
    parser.set_defaults(subject=None)
    subjects = parser.add_subparsers(metavar="WHAT")
    for name, help_text, *names in (
        ("variant", "one variant of the configuration", "NAME"),
        ("suite", "the prompts of a suite", "NAME"),
        ("metric", "one metric: what it is and how it is judged", "NAME"),
        ("metrics", "all metrics in one table"),
    ):
        subject = _subject(subjects, name, help_text)
        for metavar in names:
            subject.add_argument("name", metavar=metavar)
    _add_show_config(subjects)
    _add_show_baseline(subjects)


def _add_show_config(subjects: Any) -> None:
    _example(_subject(subjects, "config", "the configuration as it is written"))


def _add_show_baseline(subjects: Any) -> None:
    parser = _subject(subjects, "baseline", "what a baseline keeps of its sessions")
    parser.add_argument("name", metavar="NAME", nargs="?", default="main", help="default: main")
    _machine(parser, default=argparse.SUPPRESS)
    _baselines(parser, default=argparse.SUPPRESS)


def _history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--history", metavar="METRIC", help="a metric over the sessions of a baseline"
    )
    parser.add_argument(
        "--of",
        metavar="GLOBS",
        type=_globs,
        default=(),
        help="of which variants and cases, comma-separated (default: all)",
    )
    parser.add_argument("--html", metavar="PATH", type=Path, help="write it as a page, too")
    parser.add_argument(
        "--baseline", metavar="NAME", default="main", help="which baseline (default: main)"
    )
    _machine(parser)
    _baselines(parser)
    _config(parser)


def _add_doctor(commands: Any) -> None:
    parser = _command(
        commands, "doctor", "doctor", "say what is installed, what works, and what is missing"
    )
    _config(parser)


def _add_export(commands: Any) -> None:
    from pytest_llmbench.report.exports.registry import EXPORTS

    parser = _command(commands, "export", "export", "write a session's results in another format")
    parser.add_argument(
        "record", metavar="RECORD", type=Path, help="what pytest --llmbench-json wrote"
    )
    parser.add_argument(
        "--format",
        required=True,
        choices=[export.name for export in EXPORTS],
        metavar="NAME",
        help="; ".join(f"{export.name}: {export.what}" for export in EXPORTS),
    )
    parser.add_argument(
        "--output", metavar="PATH", type=Path, help="a file (default: standard output)"
    )


def _add_report(commands: Any) -> None:
    parser = _command(
        commands, "report", "report", "write a report of what --llmbench-json kept of sessions"
    )
    parser.add_argument(
        "records",
        metavar="RECORD",
        nargs="+",
        type=Path,
        help="what pytest --llmbench --llmbench-json=PATH wrote; several are shown side by side",
    )
    parser.add_argument("--html", metavar="PATH", type=Path, help="write one HTML file")
    parser.add_argument(
        "--figures", metavar="DIR", type=Path, help="write every figure there, as PNG and SVG"
    )


def _add_schema(commands: Any) -> None:
    parser = _command(commands, "schema", "schema", "print a JSON Schema")
    parser.add_argument("what", choices=("config", "results"))


def _add_selftest(commands: Any) -> None:
    parser = _command(
        commands,
        "selftest",
        "selftest",
        "prove here that unchanged code passes and a planted slowdown is found",
    )
    _config(parser)
    parser.add_argument("--variants", metavar="GLOBS", type=_globs, default=())
    parser.add_argument(
        "--rounds", metavar="N", type=_rounds, help="timed rounds of every case, at least"
    )
    parser.add_argument(
        "--interleave",
        choices=("auto", "on", "off"),
        default="auto",
        help="load variants together and measure them in turns (default: auto, if they fit)",
    )
    parser.add_argument(
        "--plant",
        metavar="PERCENT",
        type=_percent,
        default=0.20,
        help="how much slower a planted variant is (default: 20)",
    )
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep the baseline files there")


def _command(
    commands: Any, name: str, module: str, help_text: str, **settings: Any
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=help_text,
        description=f"{help_text[0].upper()}{help_text[1:]}.",
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **settings,
    )
    parser.set_defaults(module=f"{_HERE}.{module}")
    return parser


def _subject(subjects: Any, name: str, help_text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subjects.add_parser(name, help=help_text)
    parser.set_defaults(subject=name)
    _config(parser, default=argparse.SUPPRESS)
    return parser


def _config(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--config",
        metavar="PATH",
        type=Path,
        default=default,
        help="default: llmbench.toml here, or [tool.llmbench] in pyproject.toml",
    )


def _machine(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--machine", metavar="LABEL", default=default, help="default: this machine's label"
    )


def _baselines(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--baselines",
        metavar="DIR",
        type=Path,
        default=default,
        help="where baselines live (default: baselines, beside the configuration)",
    )


def _example(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--example",
        action="store_true",
        default=argparse.SUPPRESS,
        help="print a complete small llmbench.toml",
    )


def _globs(text: str) -> tuple[str, ...]:
    return tuple(glob.strip() for glob in text.split(",") if glob.strip())


def _rounds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _percent(text: str) -> float:
    """Return ``20`` or ``20%`` as 0.20."""
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = math.nan
    if not 0 < share < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage above 0, such as 20")
    return share
