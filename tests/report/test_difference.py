"""What differs between two texts is marked, and what matters of it is named."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.report.difference import changed_words, marked, merged


@pytest.mark.parametrize(
    ("original", "text", "left", "right"),
    [
        ("It is Paris.", "It is Lyon.", "It is [-Paris-].", "It is {+Lyon+}."),
        ("It is Paris.", "It is not Paris.", "It is Paris.", "It is {+not +}Paris."),
        ("pay 1,500.25 now", "pay 1,500.52 now", "pay [-1,500.25-] now", "pay {+1,500.52+} now"),
        ("same", "same", "same", "same"),
        ("", "all", "", "{+all+}"),
        ("all", "", "[-all-]", ""),
    ],
)
def test_what_the_other_does_not_have_is_marked(original, text, left, right) -> None:
    assert marked(original, text) == (left, right)


@given(st.text(alphabet="ab .\n1", max_size=60), st.text(alphabet="ab .\n1", max_size=60))
def test_without_the_marks_nothing_is_lost(original: str, text: str) -> None:
    plain = tuple(re.sub(r"\[-|-\]|\{\+|\+\}", "", each) for each in marked(original, text))
    assert plain == (original, text)


@pytest.mark.parametrize(
    ("original", "text", "changes"),
    [
        ("Pay 500 euros.", "Pay 50 euros.", {"numbers": "500 -> 50"}),
        ("So Anna paid Ben.", "So Ben paid Ben.", {"names": "Anna -> Ben"}),
        ("It has 3 parts.", "It has parts.", {"numbers": "3 -> none"}),
        ("The cat sat. A dog ran.", "A cat sat. The dog ran.", {}),
        ("It was in Rome in 1900.", "It was in Oslo in 1901, 1902.",
         {"numbers": "1900 -> 1901, 1902", "names": "Rome -> Oslo"}),
        ("Line\nAnother", "Line\nOther", {}),
        ("", "", {}),
    ],
)  # fmt: skip
def test_numbers_and_names_that_changed(original, text, changes) -> None:
    assert dict(changed_words(original, text)) == changes


def test_what_is_alike_is_shortened_and_the_difference_stays_in_sight() -> None:
    same = "one two three four five six seven eight nine ten " * 40
    left, right = marked(f"{same}yes {same}", f"{same}no {same}")
    assert "[-yes-]" in left
    assert "{+no+}" in right
    assert left.startswith("(1880 characters alike) … ")
    assert len(left) < 300


def test_texts_that_repeat_themselves_take_no_time_to_speak_of() -> None:
    left, right = marked("!" * 20_000, "!?" * 10_000)
    assert right.count("?") == 10_000
    assert left.endswith("-]")


def test_both_texts_in_one() -> None:
    assert merged("It is Paris.", "It is Lyon.") == (
        ("same", "It is "),
        ("gone", "Paris"),
        ("new", "Lyon"),
        ("same", "."),
    )
    assert merged("same", "same") == (("same", "same"),)
    assert merged("", "all") == (("new", "all"),)
    assert merged("", "") == ()


@given(st.text(alphabet="ab .\n1", max_size=60), st.text(alphabet="ab .\n1", max_size=60))
def test_each_text_can_be_read_off_both(original: str, text: str) -> None:
    pieces = merged(original, text)
    assert "".join(words for kind, words in pieces if kind != "new") == original
    assert "".join(words for kind, words in pieces if kind != "gone") == text
