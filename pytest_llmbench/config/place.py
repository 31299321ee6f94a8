"""Where in which file something was written, and errors that say so."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable

from pytest_llmbench.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """A file (or option) and the dotted key within it."""

    file: str
    key: str = ""

    def __truediv__(self, part: str | int) -> Place:
        """Return the place of *part* below this one; a number is a position in a list."""
        if isinstance(part, int):
            return Place(self.file, f"{self.key}[{part}]")
        return Place(self.file, f"{self.key}.{part}" if self.key else part)

    def __str__(self) -> str:
        return f"{self.file}: {self.key}" if self.key else self.file

    def error(self, problem: str) -> ConfigError:
        """Return the error that says *problem* of this place."""
        return ConfigError(f"{self}: {problem}")


def unknown(name: str, what: str, allowed: Iterable[str]) -> str:
    """Return ``unknown <what> 'name'`` with the closest allowed one, then all that are."""
    choices = list(allowed)
    close = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown {what} {name!r} ({hint}allowed: {', '.join(choices) or 'none'})"
