"""Two texts held against each other: what differs is marked, and numbers and names are named."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from pytest_llmbench.metrics.alike import first_difference

MOST_WORDS: Final = 200
"""Words after the first difference that are compared one by one. The time grows with their cube
where a text repeats itself, as broken ones do; what comes after them is shown as changed."""

AROUND: Final = 80
"""Characters that are shown before the first difference and after the last."""

Piece = tuple[Literal["same", "gone", "new"], str]
"""What both texts have, what only the original has, or what only the other one has."""

_WORDS: Final = re.compile(r"\w+(?:[.,'’]\w+)*|\s+|.", re.DOTALL)
_NUMBER: Final = re.compile(r"\d")


def marked(original: str, text: str) -> tuple[str, str]:
    """Return both texts, with what the other does not have as ``[-this-]`` and ``{+that+}``.

    So does ``git diff --word-diff``; the original comes first. What they begin and end with alike
    is shortened.
    """
    one, other = _words(original), _words(text)
    head = first_difference(one, other)
    tail = first_difference(one[head:][::-1], other[head:][::-1])
    middles = (each[head : len(each) - tail] for each in (one, other))
    left, right = _marked_middle(*middles)
    before, after = "".join(one[:head]), "".join(one[len(one) - tail :])
    before, after = _last(before), _first(after)
    return before + left + after, before + right + after


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


def merged(original: str, text: str, *, words: int = MOST_WORDS) -> tuple[Piece, ...]:
    """Return both texts as one, piece by piece: what both have, and what only one of them has.

    At most so many *words* after the first difference are compared one by one.
    """
    one, other = _words(original), _words(text)
    head = first_difference(one, other)
    tail = first_difference(one[head:][::-1], other[head:][::-1])
    middles = (each[head : len(each) - tail] for each in (one, other))
    middle = _compared(*middles, words=words)
    pieces = (
        ("same", "".join(one[:head])),
        *(piece for gone, new, same in middle for piece in _either(gone, new, same=same)),
        ("same", "".join(one[len(one) - tail :])),
    )
    return tuple((kind, words) for kind, words in pieces if words)


def _either(gone: str, new: str, *, same: bool) -> Iterator[Piece]:
    if same:
        yield "same", gone
    else:
        yield "gone", gone
        yield "new", new


def _marked_middle(one: Sequence[str], other: Sequence[str]) -> tuple[str, str]:
    left, right = "", ""
    for gone, new, same in _compared(one, other, words=MOST_WORDS):
        left += gone if same or not gone else f"[-{gone}-]"
        right += new if same or not new else f"{{+{new}+}}"
    return left, right


def _compared(
    one: Sequence[str], other: Sequence[str], *, words: int
) -> Iterator[tuple[str, str, bool]]:
    """Yield what stands in *one*, what in its place in *other*, and whether that is the same."""
    near = difflib.SequenceMatcher(a=one[:words], b=other[:words], autojunk=False)
    for tag, a, b, c, d in near.get_opcodes():
        yield "".join(one[a:b]), "".join(other[c:d]), tag == "equal"
    yield "".join(one[words:]), "".join(other[words:]), False


def _words(text: str) -> list[str]:
    return _WORDS.findall(text)


def _last(text: str) -> str:
    cut = len(text) - AROUND
    return text if cut <= AROUND else f"({cut} characters alike) … {text[cut:]}"


def _first(text: str) -> str:
    cut = len(text) - AROUND
    return text if cut <= AROUND else f"{text[:AROUND]} … ({cut} characters alike)"


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
