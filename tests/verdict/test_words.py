"""Numbers and changes as sentences want them."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.verdict import Difference
from pytest_llmbench.verdict.words import (
    amount_pair,
    beside,
    changed_pair,
    differences,
    movement,
    plural,
)


@pytest.mark.parametrize(
    ("name", "then", "now", "words"),
    [
        ("itl_s", 0.00305, 0.004, "itl_s rose by 31.1 %, from 3.05 ms to 4 ms"),
        ("decode_tps", 20, 15, "decode_tps fell by 25 %, from 20 tok/s to 15 tok/s"),
        ("score", 1, 1, "score is unchanged at 1"),
        ("warnings", 0, 2, "warnings rose by 2, from 0 to 2"),
        ("rss_delta_bytes", -(2**20), 2**20, "rss_delta_bytes rose by 200 %, from -1 MiB to 1 MiB"),
        (
            "model_bytes",
            8_000_000_000,
            8_000_000_001,
            "model_bytes rose by 0 %, from 7.450580597 GiB to 7.450580598 GiB",
        ),
    ],
)
def test_movement(name, then, now, words):
    assert movement(CATALOGUE[name], then, now) == words


@pytest.mark.parametrize(
    ("name", "other", "now", "words"),
    [
        ("score", 1, 0.5, "score is 50 % below that of q4@v1, side by side: 0.5 against 1"),
        ("warnings", 0, 2, "warnings is 2 above that of q4@v1, side by side: 2 against 0"),
        ("score", 1, 1, "score is the same as that of q4@v1, side by side: 1"),
    ],
)
def test_beside(name, other, now, words):
    assert beside(CATALOGUE[name], other, now, "q4@v1") == words


def test_amounts_that_read_alike_are_told_apart():
    assert amount_pair(1.0, 1.5, "s") == ("1 s", "1.5 s")
    assert amount_pair(1.0, 1.0, "s") == ("1 s", "1 s")
    assert amount_pair(1.0, 1.001, "1") == ("1", "1.001")


def test_differences_are_sorted_and_name_what_is_absent():
    found = differences({"b": "1", "c": "3", "same": "x"}, {"a": "0", "b": "2", "same": "x"})
    assert found == (
        Difference(field="a", then="absent", now="0"),
        Difference(field="b", then="1", now="2"),
        Difference(field="c", then="3", now="absent"),
    )
    assert changed_pair(found[1]) == ("changed", "b 1 -> 2")


def test_plural():
    assert (plural(1, "session"), plural(0, "session")) == ("1 session", "0 sessions")
    assert (plural(1, "launch", "launches"), plural(2, "launch", "launches")) == (
        "1 launch",
        "2 launches",
    )
