"""Teacher forcing: the logits of a text that is given, through the context's own cache."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytest_llmbench.engines.llama_cpp.generation import failed, process
from pytest_llmbench.engines.llama_cpp.model import LoadedModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def forced_logits(
    loaded: LoadedModel,
    prompt: ctypes.Array[ctypes.c_int32],
    continuation: tuple[int, ...],
    step: int,
) -> Iterator[NDArray[np.float32]]:
    """Yield logits, shape ``(rows, vocabulary)``, of what leads to each given token.

    Args:
        loaded: the model; its cache is cleared first.
        prompt: the tokens before it.
        continuation: what is given.
        step: tokens of it at once, at most.

    Raises:
        CaseError: llama.cpp could not process a batch.
    """
    llama = loaded.llama
    loaded.log.clear(keep=False)
    llama.llama_memory_clear(loaded.memory, False)  # noqa: FBT003 — C
    process(loaded, prompt)
    yield _logits(loaded, [-1])  # the prompt leads to the first token
    at_once = min(step, loaded.batch)
    batch = llama.llama_batch_init(at_once, 0, 1)
    try:
        for done in range(0, len(continuation) - 1, at_once):
            tokens = continuation[done : min(done + at_once, len(continuation) - 1)]
            _fill(batch, tokens, start=len(prompt) + done)
            code = llama.llama_decode(loaded.context, batch)
            if code:
                raise failed(loaded, code)
            yield _logits(loaded, range(len(tokens)))
    finally:
        llama.llama_batch_free(batch)


def _fill(batch: Any, tokens: tuple[int, ...], *, start: int) -> None:
    """Write *tokens* at positions from *start* on; logits of every one are wanted."""
    batch.n_tokens = len(tokens)
    for number, token in enumerate(tokens):
        batch.token[number] = token
        batch.pos[number] = start + number
        batch.n_seq_id[number] = 1
        batch.seq_id[number][0] = 0
        batch.logits[number] = True


def _logits(loaded: LoadedModel, positions: Any) -> NDArray[np.float32]:
    """Return a copy of the logits at *positions* of the last batch; waits until they are there."""
    import numpy as np

    llama = loaded.llama
    size = loaded.vocabulary.tokens_known
    rows = [
        np.ctypeslib.as_array(llama.llama_get_logits_ith(loaded.context, position), shape=(size,))
        for position in positions
    ]
    return np.array(rows, dtype=np.float32)
