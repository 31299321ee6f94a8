"""What is wrong with a text whatever was asked: found without any expected answer.

==============  ==================================================================================
fault           when
==============  ==================================================================================
empty           it is nothing but white space
loop            it ends in one phrase again and again: four times at least, and twelve words in
                all; or, where words are not apart, in a few characters, sixteen times at least
special-token   a token that was for the model is in it: ``<|im_end|>``, ``[INST]`` …, or at
                either end ``<s>`` or ``</s>``
undecodable     a character that could not be decoded is in it: U+FFFD
==============  ==================================================================================

A loop that the token limit cut within its phrase counts; four lines that begin alike don't, nor do
rules and rows of dots: a phrase has a letter or a digit. Punctuation marks count as words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

LEAST_TIMES: Final = 4
LEAST_WORDS: Final = 12
LONGEST_PHRASE: Final = 60
"""Words of the longest phrase that is looked for."""

LONGEST_SYLLABLES: Final = 12
LEAST_SYLLABLES: Final = 16

_WORD: Final = re.compile(r"\w+|[^\w\s]")
_SPECIAL: Final = re.compile(
    r"<\|[\w.-]{2,40}\|>|\A\s*</?s>|</?s>\s*\Z|\[/?INST\]|<<SYS>>|<(?:start|end)_of_turn>"
    r"|<(?:bos|eos|pad|unk)>"
)


def faults(text: str) -> tuple[str, ...]:
    """Return the faults of *text*, in the order of the table."""
    found = {
        "empty": not text.strip(),
        "loop": loops(text),
        "special-token": _SPECIAL.search(text) is not None,
        "undecodable": "\ufffd" in text,
    }
    return tuple(name for name, there in found.items() if there)


def loops(text: str) -> bool:
    """Whether *text* ends in one phrase again and again."""
    words = _WORD.findall(text)
    if _repeats(words, LONGEST_PHRASE, LEAST_TIMES, LEAST_WORDS):
        return True
    return bool(words) and _repeats(words[-1], LONGEST_SYLLABLES, LEAST_SYLLABLES, LEAST_SYLLABLES)


def _repeats(parts: Sequence[str], longest: int, times: int, least: int) -> bool:
    """Whether *parts* end in the same up to *longest* ones, so many *times* and *least* in all."""
    return any(
        _repeated(parts, length) >= max(times * length, least)
        and any(map(str.isalnum, parts[-length:]))
        for length in range(1, min(longest, len(parts) // times) + 1)
    )


def _repeated(parts: Sequence[str], length: int) -> int:
    """Return how many parts at the end repeat those *length* before them, these included."""
    count = length
    for part, before in zip(reversed(parts), reversed(parts[:-length]), strict=False):
        if part != before:
            break
        count += 1
    return count
