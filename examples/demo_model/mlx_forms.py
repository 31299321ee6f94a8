"""The demo model as MLX folders, by mlx-lm's own converter: float16, and 4 bits in groups of 64.

Every matrix of the model fits groups of 64 (its widths are 256 and 512), the embedding included,
which is also the output layer. What the quantized form does not quantize, and its scales, are
float32: MLX on the CPU computes float16 between quantized layers some thirty times slower (100 ms a
token instead of 4 on the machine that this was tried on).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

CONVERSIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "mlx-f16": {"dtype": "float16"},
    "mlx-4bit": {"dtype": "float32", "quantize": True, "q_bits": 4, "q_group_size": 64},
}
"""What `mlx_lm.convert` is told for each form."""


def build(name: str, model: Path, target: Path) -> None:
    """Write the form *name* of the Hugging Face folder *model* to the folder *target*."""
    from mlx_lm import convert

    convert(str(model), str(target), **CONVERSIONS[name])
