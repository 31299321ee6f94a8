"""Hidden characters are written out; what can be read stays."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.report.text import cut, one_line, plain

from .facts import HOSTILE


def test_escapes_are_written_out():
    assert plain("a\x1b[31mb") == r"a\x1b[31mb"


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\x00", r"\x00"),
        ("\r", r"\r"),
        ("\t", r"\t"),
        ("\x7f", r"\x7f"),
        ("\x9b", r"\x9b"),
        ("\u202e", r"\u202e"),
        ("\u200f", r"\u200f"),
        ("\u2028", r"\u2028"),
        ("\ufeff", r"\ufeff"),
        ("\ud800", r"\ud800"),
        ("\uffff", r"\uffff"),
        ("\U0001fffe", r"\U0001fffe"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_each_kind_of_hidden_character(char, shown):
    assert plain(f"a{char}b") == f"a{shown}b"


@pytest.mark.parametrize(
    "text", ["", "two\nlines", "größer", "日本語", "هلو", "👩\u200d💻", "a\u00a0b"]
)
def test_what_can_be_read_stays(text):
    assert plain(text) == text


@given(st.text(alphabet=st.characters(), max_size=50))
def test_nothing_hidden_is_left(text):
    allowed = {"\n", "\u200c", "\u200d"}
    left = set(plain(text)) - allowed
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in left)
    plain(text).encode("utf-8")


def test_one_line_folds_white_space():
    assert one_line(" a\n\n b\tc ") == "a b c"


def test_one_line_of_hostile_text_is_one_line():
    assert len(one_line(HOSTILE).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("abcde", "abcde"), ("abcdef", "abcde … (1 more characters)")],
)
def test_cut_at_the_limit(text, expected):
    assert cut(text, 5) == expected
