"""How precise a variant's weights are, in one word, from what its engine says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WHERE: Final = ("quantization", "dtype")
"""Parts of a variant's identity that tell, the stronger first."""

_WHOLE: Final = "none"
"""What MLX calls the quantization of weights that have none."""


def precision_of(identity: Mapping[str, str]) -> str | None:
    """Return the quantization, else the type of the weights; ``None`` where neither is told."""
    told = (identity.get(key, _WHOLE) for key in _WHERE)
    return next((word for word in told if word != _WHOLE), None)
