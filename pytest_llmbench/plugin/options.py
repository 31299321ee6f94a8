"""The options of ``pytest --llmbench``, as one table: command line and ini file alike.

PYTEST_DONT_REWRITE: nothing here asserts, and rewriting would cost every pytest run.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

import pytest

from pytest_llmbench.report.exports.registry import EXPORTS

Kind = Literal["switch", "text", "path", "list", "policy", "optional"]
POLICIES: Final = ("pass", "warn", "fail")


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One option: ``--llmbench-NAME`` and the ini key ``llmbench_NAME``.

    Attributes:
        name: without the prefix; empty for ``--llmbench`` itself.
        kind: *switch* takes nothing, *text* one value, *path* a file (typed, relative to where
            pytest was called; in an ini file, to the rootdir), *list* may be given again,
            *policy* is pass, warn or fail, *optional* may stand without its value.
        metavar: what help shows for the value.
        help: what it does, in one sentence.
        default: the value where neither command line nor ini file has one.
        bare: the value of an *optional* given without one.
    """

    name: str
    kind: Kind
    metavar: str
    help: str
    default: str | None = None
    bare: str | None = None

    @property
    def flag(self) -> str:
        """What is typed: ``--llmbench-save``."""
        return f"--llmbench-{self.name}" if self.name else "--llmbench"

    @property
    def key(self) -> str:
        """Its ini key, which is also its attribute: ``llmbench_save``."""
        return f"llmbench_{self.name.replace('-', '_')}" if self.name else "llmbench"


OPTIONS: Final = (
    Option("", "switch", "", "run the benchmarks; without it these tests are skipped"),
    Option(
        "config", "path", "PATH", "the configuration (default: llmbench.toml or pyproject.toml)"
    ),
    Option("set", "list", "KEY=VALUE", "override a value of the configuration; may be repeated"),
    Option("variants", "text", "GLOBS", "only the variants that match, comma-separated"),
    Option("suites", "text", "GLOBS", "only the suites that match, comma-separated"),
    Option("rounds", "text", "auto|N", "timed rounds of every case"),
    Option("warmup", "text", "auto|N", "untimed generations before them"),
    Option("max-time", "text", "S", "no further round of a case starts after this many seconds"),
    Option("launches", "text", "N", "measure every case in N fresh processes (default: 1)"),
    Option("interleave", "text", "auto|on|off", "take turns over the variants that fit in memory"),
    Option("baselines", "path", "DIR", "where baselines live (default: baselines)", "baselines"),
    Option("machine", "text", "LABEL", "this machine's name among them (default: from hardware)"),
    Option("compare", "text", "NAME", "baseline to compare with (default: main, if it exists)"),
    Option("no-compare", "switch", "", "compare with no baseline"),
    Option(
        "against", "text", "SPEC", "compare side by side with another interpreter or git revision"
    ),
    Option("save", "optional", "NAME", "add this session to the baseline", bare="main"),
    Option("replace", "optional", "NAME", "start the baseline anew with this session", bare="main"),
    Option("save-failed", "switch", "", "save or replace even though tests failed"),
    Option("missing", "policy", "", "what a missing case or metric does to the run", "warn"),
    Option("inconclusive", "policy", "", "what an undecidable comparison does to it", "warn"),
    Option("strict", "switch", "", "an engine that is not installed fails its cases"),
    Option("group", "text", "suite|variant|task", "a row of the table for each variant by this"),
    Option("columns", "text", "NAMES", "columns of the table; +NAME adds one to the usual ones"),
    Option("sort", "text", "NAME", "the column that rows are sorted by; -NAME the other way round"),
    Option("json", "path", "PATH", "write everything measured and judged as JSON"),
    Option("html", "path", "PATH", "write a report with charts and outputs as one HTML file"),
    *(Option(export.name, "path", "PATH", f"write {export.what}") for export in EXPORTS),
    Option("plant", "list", "VARIANT=PERCENT", "slow a variant down, to see the gate fire"),
)


def add_options(parser: pytest.Parser) -> None:
    """Add every option to the command line and to the ini file."""
    group = parser.getgroup("llmbench", "performance and quality of language models")
    for option in OPTIONS:
        group.addoption(option.flag, dest=option.key, **_command_line(option))
        parser.addini(option.key, f"{option.help} ({option.flag})", **_ini(option))


def _command_line(option: Option) -> dict[str, Any]:
    common: dict[str, Any] = {"default": None, "help": option.help}
    if option.kind == "switch":
        return {**common, "action": "store_true"}
    if option.kind == "list":
        return {**common, "action": "append", "metavar": option.metavar}
    if option.kind == "policy":
        return {**common, "choices": POLICIES}
    if option.kind == "optional":
        return {**common, "nargs": "?", "const": option.bare, "metavar": option.metavar}
    return {**common, "metavar": option.metavar}


def _ini(option: Option) -> dict[str, Any]:
    if option.kind == "switch":
        return {"type": "bool", "default": False}
    if option.kind == "list":
        return {"type": "linelist", "default": []}
    return {"type": "string", "default": option.default or ""}
