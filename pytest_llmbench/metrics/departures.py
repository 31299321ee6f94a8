"""In which ways a text is another kind of text than the reference's: found without a scorer.

==========  ======================================================================================
departure   when
==========  ======================================================================================
unfinished  the reference's text ended by itself, and this one was cut at the limit
language    it is in another language: both were recognised as sure as :data:`SURE`
not-json    the reference's text is a JSON object or list, and this one is no JSON
==========  ======================================================================================

Languages are recognised by py3langid, which normalizes its probabilities over 97 of them: of short
texts, numbers and code none is probable enough, so that nothing is said of those.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from pytest_llmbench.domain.drift import Original
from pytest_llmbench.domain.json_text import is_json
from pytest_llmbench.domain.trace import Trace

Said = Trace | Original
"""A text, with how it ended."""

SURE: Final = 0.9
"""Probability from which on a text counts as being in a language."""


def departures(reference: Said, trace: Said) -> tuple[str, ...]:
    """Return how *trace* departs from *reference*, in the order of the table."""
    found = {
        "unfinished": (reference.finish_reason, trace.finish_reason) == ("stop", "length"),
        "language": _other_language(reference.text, trace.text),
        "not-json": _is_structured(reference.text) and not is_json(trace.text),
    }
    return tuple(name for name, there in found.items() if there)


def language(text: str) -> str | None:
    """Return the code of the language (ISO 639-1) that *text* is in; ``None`` where not sure."""
    code, probability = _recognizer().classify(text)
    return str(code) if probability >= SURE else None


def _other_language(one: str, other: str) -> bool:
    if one == other:
        return False
    languages = language(one), language(other)
    return None not in languages and languages[0] != languages[1]


@functools.cache
def _recognizer() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _is_structured(text: str) -> bool:
    return text.lstrip()[:1] in ("{", "[") and is_json(text)
