"""Another kind of text than the reference's: cut, in another language, no JSON any more."""

from __future__ import annotations

import pytest

from pytest_llmbench.metrics.departures import departures, language
from tests.support import token_trace

ENGLISH = "A computer is a machine that follows instructions. It stores numbers and adds them."
GERMAN = "Ein Computer ist eine Maschine, die Anweisungen befolgt. Er speichert Zahlen."
FRENCH = "Un ordinateur est une machine qui suit des instructions et qui garde des nombres."


def trace(text: str, finish: str = "stop"):
    return token_trace(stamps_ns=(1, 2), token_ids=(1, 2), text=text, finish_reason=finish)


def found(one: str, other: str) -> tuple[str, ...]:
    return departures(trace(one), trace(other))


def test_the_same_text_departs_in_nothing() -> None:
    for text in (ENGLISH, "", "[1, 2]", "4"):
        assert found(text, text) == ()


def test_a_text_that_was_cut_where_the_reference_ended() -> None:
    assert departures(trace("a"), trace("a b", "length")) == ("unfinished",)
    assert departures(trace("a", "length"), trace("a b", "length")) == ()
    assert departures(trace("a b", "length"), trace("a")) == ()


@pytest.mark.parametrize(("one", "other"), [(ENGLISH, GERMAN), (GERMAN, FRENCH), (FRENCH, ENGLISH)])
def test_another_language(one: str, other: str) -> None:
    assert found(one, other) == ("language",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Paris", "Rome"),
        (ENGLISH, ENGLISH.replace("numbers", "words")),
        (ENGLISH, "Yes."),
        ("def add(a, b):\n    return a + b", "def add(x, y):\n    return x - y"),
        ("1, 2, 3, 4, 5, 6, 7, 8", "eins, zwei"),
        (ENGLISH, ""),
    ],
)
def test_what_is_not_sure_is_not_said(one: str, other: str) -> None:
    assert found(one, other) == ()


def test_json_that_is_none_any_more() -> None:
    whole = '{"name": "Ada", "born": 1815}'
    assert found(whole, '{"name": "Ada"') == ("not-json",)
    assert found(whole, f"```json\n{whole}\n```") == ("not-json",)
    assert found(whole, "[]") == ()
    assert found("4", "four") == (), "a bare number is no structure"
    assert found(whole, "[" * 100_000) == ("not-json",)


def test_several_at_once() -> None:
    cut = departures(trace("[1, 2]"), trace("[1, 2", "length"))
    assert cut == ("unfinished", "not-json")


def test_languages() -> None:
    assert [language(text) for text in (ENGLISH, GERMAN, FRENCH, "Paris")] == [
        "en",
        "de",
        "fr",
        None,
    ]
