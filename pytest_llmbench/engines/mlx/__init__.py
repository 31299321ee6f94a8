"""Apple's MLX through mlx-lm: Metal on Apple silicon, the CPU build elsewhere.

Hugging Face and MLX folders of safetensors are taken as they are, or quantized when loaded.
"""

from pytest_llmbench.engines.mlx.engine import MlxEngine
from pytest_llmbench.engines.mlx.libraries import survey
from pytest_llmbench.engines.mlx.options import MlxOptions

__all__ = ["MlxEngine", "MlxOptions", "survey"]
