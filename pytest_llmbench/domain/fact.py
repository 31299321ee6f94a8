"""The kind of thing every fact is: a frozen msgspec struct that refuses unknown fields."""

from __future__ import annotations

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all facts: frozen, named fields only, unknown fields refused when decoded."""
