"""The engine llama-cpp."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pytest_llmbench.domain.variant import EngineKeys


class LlamaCppOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "llama-cpp"``."""

    model: Annotated[str, Meta(min_length=1)]


class LlamaCppEngine:
    """Not written yet."""
