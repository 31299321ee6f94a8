"""Every format: its name, what it is for, and the module that writes it, imported at its use.

PYTEST_DONT_REWRITE: nothing here asserts, and rewriting would cost every pytest run.
"""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmbench.report.results import Results

_HERE: Final = "pytest_llmbench.report.exports"


@dataclasses.dataclass(frozen=True, slots=True)
class Export:
    """One format.

    Attributes:
        name: what ``llmbench export --format`` takes; the option is ``--llmbench-NAME``.
        what: what is written, as the help has it after "write ".
        module: the file of this package that writes it.
        function: its function, which takes the results of a session and returns the text.
    """

    name: str
    what: str
    module: str
    function: str = "render"

    def render(self, results: Results) -> str:
        """Return *results* in this format."""
        module = importlib.import_module(f"{_HERE}.{self.module}")
        function: Callable[[Results], str] = getattr(module, self.function)
        return function(results)


EXPORTS: Final = (
    Export("markdown", "a report for people and pull requests, as Markdown", "markdown"),
    Export("csv", "every metric of every case, one line each, as CSV", "comma_separated"),
    Export("benchmark-json", "times as JSON of pytest-benchmark", "pytest_benchmark"),
    Export("bencher", "Bencher Metric Format (JSON)", "bencher"),
    Export(
        "github-smaller",
        "what is better smaller for github-action-benchmark (JSON)",
        "github_action",
        "render_smaller",
    ),
    Export(
        "github-bigger",
        "what is better bigger for github-action-benchmark (JSON)",
        "github_action",
        "render_bigger",
    ),
    Export("benchstat", "rounds as lines of the Go benchmark format", "go_benchmark"),
)
"""All formats, in the order in which help shows them."""


def export_named(name: str) -> Export:
    """Return the format *name*, which is one of those there are."""
    return next(export for export in EXPORTS if export.name == name)
