"""Engines: what runs a model. One small protocol, one lazy table, one adapter a file.

Importing this package imports no engine's library; an adapter imports its own in ``start``.
"""

from pytest_llmbench.engines.protocol import (
    Encoded,
    Engine,
    Generation,
    Served,
    Stamps,
    Survey,
)
from pytest_llmbench.engines.registry import (
    EngineEntry,
    create_engine,
    engine_entry,
    engine_options,
    engines,
)

__all__ = [
    "Encoded",
    "Engine",
    "EngineEntry",
    "Generation",
    "Served",
    "Stamps",
    "Survey",
    "create_engine",
    "engine_entry",
    "engine_options",
    "engines",
]
