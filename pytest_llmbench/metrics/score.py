"""Is the answer right? One small scorer for each way of asking.

==========  ==================================================================================
scorer      1 when
==========  ==================================================================================
exact       the text is the expected one; case and the amount of white space don't count
contains    the expected text occurs in it, compared in the same way
regex       the expected pattern occurs in it (``re.search`` with ``MULTILINE``)
number      the last number in it is the expected one (relative error up to 1e-9)
choice      the first letter in it that stands for a choice is the expected one
json        all of it is one JSON value, equal to the expected one where one is given
json-schema all of it is one JSON value, and valid by the expected schema
==========  ==================================================================================

Everything else scores 0. Punctuation counts in ``exact``; a code fence around JSON is not JSON.
Scorers that run something are elsewhere: a function of the user's and a model's code in
``runner.scoring``, the model itself in ``runner.choosing``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Final

from pytest_llmbench.domain.suite import Prompt, Scorer
from pytest_llmbench.errors import ConfigError

_NUMBER: Final = re.compile(
    r"(?<![\w.])[-+−]?"
    r"(?:[0-9]{1,3}(?:[,_'’\u00a0\u202f][0-9]{3})+(?![0-9])(?:\.[0-9]+)?"
    r"|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:[eE][-+]?[0-9]+)?"
)
_SEPARATORS: Final = str.maketrans({**dict.fromkeys(",_'’\u00a0\u202f"), "−": "-"})
_ALNUM: Final = r"[^\W_]"
_CHOICE: Final = re.compile(
    rf"(?<!{_ALNUM})(?<![.'’])(?P<letter>[A-Z])(?!{_ALNUM})(?![+#'’]|\.{_ALNUM})"
    r"(?:[ \t]+(?P<next>[A-Za-z]+))?"
)
_SMALL_CHOICE: Final = re.compile(rf"\W*([a-z])(?:[).:](?!{_ALNUM})|\W*\Z)")
_AFTER_A: Final = frozenset({"is", "was", "because", "since", "as", "and", "or"})


def score(prompt: Prompt, text: str) -> float | None:
    """Return 1.0 when *text* answers *prompt*, 0.0 when not, ``None`` when nothing here scores it.

    Raises:
        ConfigError: the expected answer is not what its scorer reads (no pattern, no number, a
            schema with a reference to somewhere else).
    """
    if prompt.score not in _SCORERS or (prompt.expect is None and prompt.score != "json"):
        return None
    expect = prompt.expect
    words = expect if isinstance(expect, str) else "" if expect is None else f"{expect:.15g}"
    try:
        return float(_SCORERS[prompt.score](words, text))
    except (ValueError, re.error) as exc:
        raise ConfigError(
            f"{prompt.source}: prompt {prompt.id!r} can't be scored with {prompt.score!r}: "
            f"expect = {expect!r} is wrong ({exc}); correct it or choose another scorer"
        ) from exc


def last_number(text: str) -> float | None:
    """Return the last number in *text*: ``"1,234 of 2,000.5"`` → 2000.5; ``None`` without one.

    Digits that belong to a word (``H2O``) are no number; a dash between numbers is no sign.
    Separators of thousands are commas, underscores, apostrophes and no-break spaces.
    """
    found = _NUMBER.findall(text)
    return float(found[-1].translate(_SEPARATORS)) if found else None


def first_choice(text: str) -> str | None:
    """Return the first choice that *text* names, ``"A"`` … ``"Z"``, or ``None``.

    A choice is a capital letter that stands alone: ``B``, ``(B)``, ``B.``, ``**B**``, ``Answer:
    B``. Not the article or pronoun (``A dog``, ``I think``), an initialism (``U.S.``) or a
    language (``C#``). A small letter counts only where it opens the answer: ``b)``.
    """
    if opening := _SMALL_CHOICE.match(text):
        return opening[1].upper()
    for found in _CHOICE.finditer(text):
        if not _is_word(found["letter"], found["next"]):
            return found["letter"]
    return None


def _is_word(letter: str, following: str | None) -> bool:
    """Whether *letter* is a word of the sentence: the article or the pronoun."""
    if following is None:
        return False
    return (letter == "A" and following not in _AFTER_A) or (letter == "I" and following != "is")


def _exact(expect: str, text: str) -> bool:
    return _fold(expect) == _fold(text)


def _contains(expect: str, text: str) -> bool:
    return _fold(expect) in _fold(text)


def _regex(expect: str, text: str) -> bool:
    return re.search(expect, text, re.MULTILINE) is not None


def _number(expect: str, text: str) -> bool:
    wanted, found = last_number(expect), last_number(text)
    if wanted is None:
        raise ValueError("it holds no number")
    return found is not None and math.isclose(found, wanted, rel_tol=1e-9)


def _choice(expect: str, text: str) -> bool:
    wanted = first_choice(expect)
    if wanted is None:
        raise ValueError("it names no choice such as 'B'")
    return first_choice(text) == wanted


def _json(expect: str, text: str) -> bool:
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    try:
        return not expect or _same(found, json.loads(expect, parse_constant=_refuse))
    except RecursionError:
        return False


def _json_schema(expect: str, text: str) -> bool:
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    schema = json.loads(expect)
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    nowhere: Registry[object] = Registry()  # or references would be fetched from the network
    try:
        return bool(validator_for(schema)(schema, registry=nowhere).is_valid(found))
    except Unresolvable as exc:
        raise ValueError(f"it refers to {exc.ref}, which is not in it") from exc
    except (RecursionError, ArithmeticError):  # nested too deep, or a number that none can hold
        return False


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _same(one: object, other: object) -> bool:
    """Whether two JSON values are equal; unlike in Python, ``true`` is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


_SCORERS: Final[dict[Scorer, Callable[[str, str], bool]]] = {
    "exact": _exact,
    "contains": _contains,
    "regex": _regex,
    "number": _number,
    "choice": _choice,
    "json": _json,
    "json-schema": _json_schema,
}
