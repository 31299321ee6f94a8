"""What is wrong with a text whatever was asked, and what is not."""

from __future__ import annotations

import pytest

from pytest_llmbench.metrics.faults import LEAST_TIMES, LEAST_WORDS, faults, loops

POEM = """The rain falls on the roof,
the rain falls on the tree,
the rain falls on the river,
the rain falls on the sea."""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Paris is the capital of France.", ()),
        ("", ("empty",)),
        (" \n\t", ("empty",)),
        ("42", ()),
        ("→", ()),
        ("...", ()),
        ("It is Paris.<|im_end|>", ("special-token",)),
        ("It is Paris.</s>", ("special-token",)),
        ("[INST] What is it? [/INST] Paris.", ("special-token",)),
        ("an <s>old</s> price", ()),
        ("if a < b and c > d: <b>bold</b> <s1>", ()),
        ("Gr\ufffd\ufffde aus Wien", ("undecodable",)),
        ("\ufffd " + "no " * 20, ("loop", "undecodable")),
    ],
)
def test_faults(text: str, found: tuple[str, ...]) -> None:
    assert faults(text) == found


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("So it is. " * LEAST_TIMES, True),
        ("So it is. " * (LEAST_TIMES - 1), False),
        ("I know that I know that I know that I know that I", True),
        ("Well then: " + "the end is near and " * 5 + "the end is", True),
        ("the end is near and " * 5 + "then it was over and done with", False),
        ("ha " * (LEAST_WORDS - 1), False),
        ("ha " * LEAST_WORDS, True),
        (POEM, False),
        ("1. one\n2. two\n3. three\n4. four\n5. five", False),
        ("| a | b |\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |", False),
        ("word", False),
        ("| a | b | c | d |\n| --- | --- | --- | --- |", False),
        ("-" * 40, False),
        ("." * 40, False),
        ("哈" * 20, True),
        ("哈" * 10, False),
        ("ab" * 16, True),
        ("1" + "0" * 15, False),
    ],
)
def test_a_loop_is_one_phrase_to_the_end(text: str, loop: bool) -> None:
    assert loops(text) is loop


def test_long_texts_take_no_time_to_speak_of() -> None:
    assert not loops(" ".join(str(number) for number in range(100_000)))
