"""The most probable tokens in every form that servers tell them in."""

from __future__ import annotations

import math

import pytest

from pytest_llmbench.engines.openai.logprobs import asking, positions_in
from pytest_llmbench.engines.openai.profiles import MLX_LM, OTHER


def read(logprobs: object, *, raw: bool = False) -> list[dict[str, float]] | None:
    found = positions_in({"choices": [{"logprobs": logprobs}]}, raw=raw)
    return None if found is None else [place.logprobs for place in found]


def test_what_is_asked() -> None:
    assert asking("/chat/completions", OTHER) == {"logprobs": True, "top_logprobs": 20}
    assert asking("/completions", OTHER) == {"logprobs": 20}
    assert asking("/completions", MLX_LM) == {"logprobs": True, "top_logprobs": 10}


def test_a_chat_s() -> None:
    told = {
        "content": [
            {
                "token": "Par",
                "logprob": -0.1,
                "bytes": [80, 97, 114],
                "top_logprobs": [
                    {"token": "Par", "logprob": -0.1, "bytes": None},
                    {"token": "Rom", "logprob": -2.5, "bytes": None},
                ],
            },
            {"token": "is", "logprob": -0.2, "bytes": None, "top_logprobs": []},
        ]
    }
    assert read(told) == [{"Par": -0.1, "Rom": -2.5}, {"is": -0.2}]


def test_a_plain_completion_s() -> None:
    told = {
        "tokens": ["Par", "is"],
        "token_logprobs": [-0.1, -0.2],
        "top_logprobs": [{"Par": -0.1, "Rom": -2.5}, None],
        "text_offset": [0, 3],
    }
    assert read(told) == [{"Par": -0.1, "Rom": -2.5}]


@pytest.mark.parametrize("told", [None, {}, {"content": None}, {"content": []}, {"content": [{}]}])
def test_none_at_all(told: object) -> None:
    assert read(told) is None
    assert positions_in({}, raw=False) is None


@pytest.mark.parametrize(
    ("raw", "reads"),
    [
        ("\u0120Paris", " Paris"),
        ("\u010a", "\n"),
        ("caf\u00c3\u00a9", "caf\u00e9"),
        ("<|im_end|>", ""),
        ("</s>", ""),
        ("a<b", "a<b"),
        ("\u4e16", "\u4e16"),
    ],
)
def test_as_the_vocabulary_has_them(raw: str, reads: str) -> None:
    told = {"content": [{"token": raw, "logprob": -1.0, "top_logprobs": []}]}
    assert read(told, raw=True) == [{reads: -1.0}]
    assert read(told) == [{raw: -1.0}]


def test_sentencepiece_has_its_own_space() -> None:
    tokens = [{"token": "\u2581Paris", "logprob": -1.0}, {"token": "caf\u00e9", "logprob": -2.0}]
    told = {"content": [{**tokens[0], "top_logprobs": tokens}]}
    assert read(told, raw=True) == [{" Paris": -1.0, "caf\u00e9": -2.0}]


def test_tokens_that_read_the_same_are_one() -> None:
    tokens = [{"token": "\ufffd", "logprob": -1.0}, {"token": "\ufffd", "logprob": -1.0}]
    told = {"content": [{**tokens[0], "top_logprobs": tokens}]}
    assert read(told) == [{"\ufffd": pytest.approx(-1.0 + math.log(2))}]


def test_what_is_no_number_or_ruled_out() -> None:
    tokens = [
        {"token": "a", "logprob": -0.1},
        {"token": "b", "logprob": -9999.0},
        {"token": "c", "logprob": math.nan},
    ]
    told = {"content": [{**tokens[0], "top_logprobs": tokens}]}
    assert read(told) == [{"a": -0.1, "b": -100.0}]
