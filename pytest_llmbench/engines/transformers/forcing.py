"""Teacher forcing: the logits of a text that is given, computed through the model's own cache."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any


def forced_logits(
    torch: Any, model: Any, prompt: Any, continuation: tuple[int, ...], step: int
) -> Iterator[Any]:
    """Yield float32 logits, shape ``(rows, vocabulary)``, of what leads to each given token.

    Args:
        torch: the library.
        model: a causal language model.
        prompt: its tokens, shape ``(1, prompt tokens)``.
        continuation: tokens after it.
        step: how many of them at once, at most.
    """
    last = {"logits_to_keep": 1} if _keeps_logits(model) else {}
    given = torch.tensor([continuation], dtype=prompt.dtype, device=prompt.device)
    tokens = torch.cat([prompt, given[:, :-1]], dim=1)
    cache, done, total = None, 0, tokens.shape[1]
    first = prompt.shape[1]  # the prompt leads to the continuation's first token
    while done < total:
        until = first if done == 0 else min(done + step, total)
        with torch.inference_mode():
            out = model(
                tokens[:, done:until],
                past_key_values=cache,
                use_cache=True,
                **({} if done else last),
            )
        rows = out.logits[0, -1:] if done == 0 else out.logits[0]
        cache, done = out.past_key_values, until
        yield rows.float().cpu().numpy()


def _keeps_logits(model: Any) -> bool:
    """Whether it can leave out the logits of a prompt's other positions: most can."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(inner.forward).parameters
