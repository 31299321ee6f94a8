"""How precise weights are, in one word."""

from __future__ import annotations

import pytest

from pytest_llmbench.report.precision import precision_of


@pytest.mark.parametrize(
    ("identity", "word"),
    [
        ({"dtype": "float16"}, "float16"),
        ({"quantization": "bnb-nf4", "dtype": "float32"}, "bnb-nf4"),
        ({"quantization": "none", "dtype": "float16"}, "float16"),
        ({"quantization": "none"}, None),
        ({"weights": "ab12"}, None),
    ],
)
def test_the_quantization_comes_before_the_type(identity: dict[str, str], word: str | None) -> None:
    assert precision_of(identity) == word
