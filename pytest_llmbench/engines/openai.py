"""The engine openai."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from pytest_llmbench.domain.variant import EngineKeys


class OpenAIOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "openai"``."""

    model: Annotated[str, Meta(min_length=1)]


class OpenAIEngine:
    """Not written yet."""
