"""Engines: what runs a model. One small protocol, one lazy table, one adapter a file.

Importing this package imports no engine's library; an adapter imports its own in ``start``.
"""

from pytest_llmbench.engines.protocol import Encoded, Engine, Generation, Stamps
from pytest_llmbench.engines.registry import create_engine, engine_entry, engine_options

__all__ = [
    "Encoded",
    "Engine",
    "Generation",
    "Stamps",
    "create_engine",
    "engine_entry",
    "engine_options",
]
