"""How to do a session again: the lines to type."""

from __future__ import annotations

import shlex
from typing import Final

from pytest_llmbench.report.results import Results
from pytest_llmbench.report.text import one_line

_LONGEST: Final = 1000


def commands(results: Results) -> tuple[str, ...]:
    """Return the lines to type, as far as the record knows them; each is text on one line."""
    context = results.environment.context
    commit, version = context.get("git_commit"), context.get("pytest-llmbench")
    lines = []
    if commit is not None:
        clean, dirty, _ = commit.partition("+dirty")
        note = "  # with changes that were not committed" if dirty else ""
        lines.append(f"git checkout {shlex.quote(clean)}{note}")
    packages = [] if version is None else [f"pytest-llmbench=={version}"]
    packages += [f"{name}=={number}" for name, number in _libraries(results).items()]
    if packages:
        lines.append(f"pip install {shlex.join(packages)}")
    if results.invocation is not None:
        lines.append(shlex.join(results.invocation.command))
    return tuple(one_line(line, _LONGEST) for line in lines)


def _libraries(results: Results) -> dict[str, str]:
    """Return the versions of the engines' libraries, which are among the variants' settings."""
    from pytest_llmbench.engines import engines

    recorded = {name for entry in engines().values() for name in entry.recorded}
    return {
        name: version
        for life in results.variants.values()
        if life.facts is not None
        for name, version in life.facts.settings.items()
        if name in recorded
    }
