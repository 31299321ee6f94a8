"""Every format has its module, and naming them loads none of it."""

from __future__ import annotations

import subprocess
import sys

from pytest_llmbench.plugin.options import OPTIONS
from pytest_llmbench.report.exports.registry import EXPORTS, export_named


def test_every_format_is_an_option() -> None:
    flags = {option.flag for option in OPTIONS}
    assert {f"--llmbench-{export.name}" for export in EXPORTS} <= flags


def test_they_are_found_by_name() -> None:
    assert [export_named(export.name) for export in EXPORTS] == list(EXPORTS)


def test_naming_them_loads_nothing() -> None:
    script = (
        "import sys; before = set(sys.modules)\n"
        "from pytest_llmbench.report.exports.registry import EXPORTS\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    ours = {name for name in done.stdout.split() if name.startswith("pytest_llmbench")}
    assert ours == {
        "pytest_llmbench",
        "pytest_llmbench.report",
        "pytest_llmbench.report.exports",
        "pytest_llmbench.report.exports.registry",
    }
    assert not {"msgspec", "numpy", "json", "rich"} & set(done.stdout.split())
