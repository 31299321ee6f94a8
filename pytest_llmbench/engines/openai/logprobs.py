"""The most probable tokens of an answer: asked of a server, and read in either endpoint's form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pytest_llmbench.domain.drift import Position
from pytest_llmbench.engines.openai.client import objects_in
from pytest_llmbench.engines.openai.profiles import Fields, Profile
from pytest_llmbench.engines.openai.request import COMPLETIONS

SPACE: Final = "\u2581"
"""What stands for a space in the vocabularies of SentencePiece."""

_SPECIAL: Final = re.compile(r"<\|[^|<>]+\|>|</?s>|<(?:bos|eos|pad|unk|end_of_turn)>")


def asking(path: str, profile: Profile) -> Fields:
    """Return the fields that ask the endpoint at *path* for the most probable tokens."""
    count = profile.top_logprobs
    if path == COMPLETIONS and not profile.chat_like:
        return {"logprobs": count}
    return {"logprobs": True, "top_logprobs": count}


def positions_in(answer: Mapping[str, object], *, raw: bool) -> tuple[Position, ...] | None:
    """Return the places of *answer*; ``None`` where it tells none.

    Args:
        answer: the whole answer, not streamed.
        raw: tokens are written as the vocabulary has them, and not as they read.
    """
    choice = next(iter(objects_in(answer.get("choices"))), {})
    told = choice.get("logprobs")
    places = list(_places(told)) if isinstance(told, dict) else []
    if raw:
        spaced = any(SPACE in token for place in places for token, _ in place)
        places = [[(_read(token, spaced=spaced), p) for token, p in each] for each in places]
    found = (Position.of(place) for place in places)
    return tuple(place for place in found if place is not None) or None


def _places(told: Mapping[str, object]) -> Iterator[list[tuple[str, float]]]:
    """Yield each place: a chat has ``content``, a plain completion ``top_logprobs`` alone."""
    for place in objects_in(told.get("content")):
        tokens = list(objects_in(place.get("top_logprobs")))
        if all((token.get("token"), token.get("logprob")) != _own(place) for token in tokens):
            tokens.insert(0, place)
        yield [
            (str(token["token"]), float(token["logprob"]))  # type: ignore[arg-type]  # checked
            for token in tokens
            if "token" in token and isinstance(token.get("logprob"), int | float)
        ]
    if "content" not in told:
        for place in objects_in(told.get("top_logprobs")):
            yield [(text, float(p)) for text, p in place.items() if isinstance(p, int | float)]


def _own(place: Mapping[str, object]) -> tuple[object, object]:
    return place.get("token"), place.get("logprob")


def _read(token: str, *, spaced: bool) -> str:
    """Return how a token of the vocabulary reads, by SentencePiece or by bytes."""
    if _SPECIAL.fullmatch(token):
        return ""
    if spaced:
        return token.replace(SPACE, " ")
    if any(letter not in _BYTES for letter in token):
        return token
    return bytes(_BYTES[letter] for letter in token).decode("utf-8", "replace")


def _letters() -> dict[str, int]:
    """Return the bytes that the letters of byte-level vocabularies stand for (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {
        **{chr(byte): byte for byte in plain},
        **{chr(256 + number): byte for number, byte in enumerate(others)},
    }


_BYTES: Final = _letters()
