"""The process that embeds texts: sentence-transformers, and windows of texts that are too long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_llmbench.worker.entry import settle_in

Vector = NDArray[np.float32]


def serve_embeddings(
    channel: Any, log: str, parent: int, mark: str, model: str, device: str, window: int | None
) -> None:
    """Load *model*, then answer lists of texts with lists of vectors (bytes of float32).

    The first answer says whether this process ends with its parent, the second is ``None``, or
    why the model could not be loaded.
    """
    channel.send(settle_in(log, parent, mark))
    try:
        loaded = load(model, device, window)
    except Exception as exc:  # noqa: BLE001 — a foreign library may raise anything
        channel.send(problem(model, exc))
        return
    channel.send(None)
    for texts in channel:
        try:
            channel.send([vector.tobytes() for vector in loaded.embedded(texts)])
        except Exception as exc:  # noqa: BLE001 — as above
            channel.send(f"{type(exc).__name__}: {exc}")


def load(model: str, device: str, window: int | None) -> Windowed:
    """Return the model, ready."""
    from sentence_transformers import SentenceTransformer

    return Windowed(SentenceTransformer(model, device=device), window)


def problem(model: str, exc: Exception) -> str:
    """Return why *model* could not be loaded, and what to do."""
    if isinstance(exc, ModuleNotFoundError) and exc.name == "sentence_transformers":
        return (
            "sentence-transformers is not installed; type: pip install "
            "'pytest-llmbench[similarity]'"
        )
    first = next(iter(str(exc).strip().splitlines()), type(exc).__name__)
    return (
        f"similarity.model = {model!r} could not be loaded: {first}; download it, or write the "
        "path of a folder that holds it"
    )


class Windowed:
    """A model of sentence embeddings that is not deaf to the end of long texts.

    Args:
        model: of sentence-transformers, which cuts what is longer than its window off.
        window: tokens at once; ``None``: all that the model takes.
    """

    def __init__(self, model: Any, window: int | None) -> None:
        self._model = model
        longest = int(model.max_seq_length or 512)
        special = model.tokenizer.num_special_tokens_to_add()
        self._room = max(1, min(longest, window or longest) - special)

    def embedded(self, texts: Sequence[str]) -> list[Vector]:
        """Return a vector of length 1 for each text: the mean over its windows, by their length."""
        parts = [self.windows(text) for text in texts]
        flat = [part for each in parts for part, _ in each]
        vectors = iter(self._model.encode(flat, normalize_embeddings=True, show_progress_bar=False))
        return [
            _unit(sum(weight * next(vectors).astype(np.float64) for _, weight in each))
            for each in parts
        ]

    def windows(self, text: str) -> list[tuple[str, int]]:
        """Return pieces of *text* that each fit, and how many tokens each has; one at least."""
        spans = self._model.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )["offset_mapping"]
        if len(spans) <= self._room:
            return [(text, max(1, len(spans)))]
        blocks = [spans[at : at + self._room] for at in range(0, len(spans), self._room)]
        return [(text[block[0][0] : block[-1][1]], len(block)) for block in blocks]


def _unit(vector: Any) -> Vector:
    length = float(np.linalg.norm(vector))
    result: Vector = (vector / length if length else vector).astype(np.float32)
    return result
