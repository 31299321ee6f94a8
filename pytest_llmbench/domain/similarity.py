"""What compares the meaning of two texts: a model of sentence embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pytest_llmbench.domain.fact import Fact

DEFAULT_MODEL: Final = "sentence-transformers/all-MiniLM-L6-v2"

SIMILARITY: Final = "similarity"
"""The metric."""


class Similarity(Fact, frozen=True, kw_only=True):
    """Which model embeds texts, and where.

    Attributes:
        model: a folder, or a name on the hub.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        window: tokens of a text at once; ``None``: as many as the model takes.
        base_dir: where a relative folder starts.
    """

    model: str
    device: str
    window: int | None
    base_dir: Path

    @property
    def source(self) -> str:
        """The folder where there is one, else the name."""
        folder = self.base_dir / Path(self.model).expanduser()
        return str(folder) if folder.is_dir() else self.model
