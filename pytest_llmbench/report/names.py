"""Names in narrow columns: broken at their joints, never cut."""

from __future__ import annotations

import re
from typing import Final

_PIECE: Final = re.compile(r".+?(?:[-_/: ]|\.(?!\d)|\Z)", re.DOTALL)


def cells(text: str) -> int:
    """Return how many columns of a terminal *text* takes."""
    from rich.cells import cell_len

    return cell_len(text)


def folded(name: str, width: int | None) -> str:
    """Return *name* in lines of at most *width* columns, broken after ``-_./:`` where it can be.

    A dot before a digit is part of a version and no joint.

    A *width* of ``None`` leaves it whole.
    """
    if width is None or cells(name) <= width:
        return name
    lines = [""]
    for piece in _pieces(name, width):
        if cells(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _pieces(name: str, width: int) -> list[str]:
    """Return the parts of *name* between joints, those wider than *width* in characters."""
    parts = _PIECE.findall(name)
    return [p for part in parts for p in ([part] if cells(part) <= width else part)]
