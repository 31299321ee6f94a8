"""Two texts held against each other: what differs is marked, and numbers and names are named."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

_WORDS: Final = re.compile(r"\w+(?:[.,'’]\w+)*|\s+|.", re.DOTALL)
_NUMBER: Final = re.compile(r"\d")

MOST_CHARACTERS: Final = 20_000
"""Of longer texts no more is compared: the time grows with the square."""


def marked(original: str, text: str) -> tuple[str, str]:
    """Return both texts, with what the other does not have as ``[-this-]`` and ``{+that+}``.

    So does ``git diff --word-diff``; the original comes first.
    """
    one, other = (_words(each[:MOST_CHARACTERS]) for each in (original, text))
    matcher = difflib.SequenceMatcher(a=one, b=other, autojunk=False)
    left, right = "", ""
    for tag, a, b, c, d in matcher.get_opcodes():
        mine, its = "".join(one[a:b]), "".join(other[c:d])
        left += mine if tag == "equal" or not mine else f"[-{mine}-]"
        right += its if tag == "equal" or not its else f"{{+{its}+}}"
    return left, right


def changed_words(original: str, text: str) -> tuple[tuple[str, str], ...]:
    """Return which numbers and names changed: pairs such as ``("numbers", "500 -> 50")``.

    A name is a word with a capital letter that does not begin a sentence.
    """
    kinds = (("numbers", _numbers), ("names", _names))
    changes = ((kind, Counter(found(original)), Counter(found(text))) for kind, found in kinds)
    return tuple(
        (kind, f"{_listed(before - after)} -> {_listed(after - before)}")
        for kind, before, after in changes
        if before != after
    )


def _words(text: str) -> list[str]:
    return _WORDS.findall(text)


def _numbers(text: str) -> Iterator[str]:
    return (word for word in _words(text) if _NUMBER.search(word))


def _names(text: str) -> Iterator[str]:
    begins = True
    for word in _words(text):
        if word.isspace():
            begins = begins or "\n" in word
            continue
        if word[0].isupper() and not begins:
            yield word
        begins = word in ".!?:"


def _listed(words: Counter[str]) -> str:
    return ", ".join(words.elements()) or "none"
