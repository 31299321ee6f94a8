"""Teacher forcing: the logits of a text that is given, through the same cache as generating."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_llmbench.engines.mlx.libraries import Libraries

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def forced_logits(
    mlx: Libraries,
    module: Any,
    prompt: Any,
    continuation: tuple[int, ...],
    step: int,
    *,
    prefill_step_size: int,
    max_kv_size: int | None,
    kv_bits: int | None,
) -> Iterator[NDArray[np.float32]]:
    """Yield logits, shape ``(rows, vocabulary)``, of what leads to each given token.

    Args:
        mlx: the library.
        module: the model.
        prompt: tokens, shape ``(prompt tokens,)``.
        continuation: tokens after it.
        step: how many of them at once, at most.
        prefill_step_size: tokens of the prompt at once.
        max_kv_size: tokens that the cache holds at most.
        kv_bits: what it is quantized to, from the first token on.
    """
    import numpy as np

    core = mlx.core
    cache = mlx.caches.make_prompt_cache(module, max_kv_size=max_kv_size)
    before, last = [int(token) for token in prompt[:-1].tolist()], int(prompt[-1])
    for at in range(0, len(before), prefill_step_size):
        module(core.array(before[at : at + prefill_step_size])[None], cache=cache)
        _quantize(mlx, cache, kv_bits)
        core.eval([each.state for each in cache])  # and no logits, which nobody asks for
    given = [int(token) for token in continuation[:-1]]
    for block in ([last], *(given[at : at + step] for at in range(0, len(given), step))):
        logits = module(core.array(block)[None], cache=cache)[0]
        _quantize(mlx, cache, kv_bits)
        yield np.array(logits.astype(core.float32))


def _quantize(mlx: Libraries, cache: Any, kv_bits: int | None) -> None:
    """Quantize what was just written, as ``generate_step`` does; group size: its default."""
    mlx.generation.maybe_quantize_kv_cache(
        cache, quantized_kv_start=0, kv_group_size=64, kv_bits=kv_bits
    )
