"""Text that others wrote, made safe to show: what can't be seen is written out.

A model's output may hold anything: escape sequences that recolour a terminal, marks that turn
the reading direction, characters that XML forbids. None of it acts; all of it can be read.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that act instead of being seen: control, format, surrogate, breaks."""

_JOINERS: Final = frozenset("\u200c\u200d")
"""They belong to the spelling of several scripts and of emoji, and do nothing else."""


def plain(text: str) -> str:
    r"""Return *text* with every hidden character but the line feed written out: ``\x1b``."""
    if text.replace("\n", "").isprintable():
        return text  # as nearly all are; none of what is written out is printable
    return "".join(_seen(char) for char in text)


def one_line(text: str, limit: int | None = None) -> str:
    """Return *text* as one line, white space folded; cut visibly at *limit* characters."""
    return cut(plain(" ".join(text.split())), limit)


def cut(text: str, limit: int | None) -> str:
    """Return at most *limit* characters of *text* and how many more there were."""
    if limit is None or len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()} … ({len(text) - limit} more characters)"


def _seen(char: str) -> str:
    if char == "\n" or (char.isprintable() and not _is_noncharacter(char)) or char in _JOINERS:
        return char
    if unicodedata.category(char) in _HIDDEN or _is_noncharacter(char):
        return char.encode("unicode_escape").decode("ascii")
    return char


def _is_noncharacter(char: str) -> bool:
    """Whether *char* is one that Unicode never assigns; XML allows some of them not at all."""
    point = ord(char)
    return point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF
