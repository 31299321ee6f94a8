"""What is wrong with a text whatever was asked: found without any expected answer.

==============  ==================================================================================
fault           when
==============  ==================================================================================
empty           there is no word in it
loop            it ends in one phrase again and again: four times at least, and twelve words in all
special-token   a token that was for the model is in it: ``<|im_end|>``, ``</s>``, ``[INST]`` …
undecodable     a character that could not be decoded is in it: U+FFFD
==============  ==================================================================================

A loop that the token limit cut within its phrase counts; four lines that begin alike don't.
"""

from __future__ import annotations

import re
from typing import Final

LEAST_TIMES: Final = 4
LEAST_WORDS: Final = 12
LONGEST_PHRASE: Final = 60
"""Words of the longest phrase that is looked for."""

_WORD: Final = re.compile(r"\w+|[^\w\s]")
_SPECIAL: Final = re.compile(
    r"<\|[\w.-]{2,40}\|>|</?s>|\[/?INST\]|<<SYS>>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
)


def faults(text: str) -> tuple[str, ...]:
    """Return the faults of *text*, in the order of the table."""
    found = {
        "empty": not re.search(r"\w", text),
        "loop": loops(text),
        "special-token": _SPECIAL.search(text) is not None,
        "undecodable": "\ufffd" in text,
    }
    return tuple(name for name, there in found.items() if there)


def loops(text: str) -> bool:
    """Whether *text* ends in one phrase again and again."""
    words = _WORD.findall(text)
    return any(
        _repeated(words, length) >= max(LEAST_TIMES * length, LEAST_WORDS)
        for length in range(1, min(LONGEST_PHRASE, len(words) // LEAST_TIMES) + 1)
    )


def _repeated(words: list[str], length: int) -> int:
    """Return how many words at the end repeat those *length* before them, these included."""
    count = length
    for word, before in zip(reversed(words), reversed(words[:-length]), strict=False):
        if word != before:
            break
        count += 1
    return count
