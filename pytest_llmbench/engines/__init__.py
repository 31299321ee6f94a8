"""Engines: what runs a model. One small protocol, one lazy table, one adapter a file.

What an engine of another package needs stands here: see docs/write-an-engine.md. Importing this
package imports no engine's library; an adapter imports its own in ``start``.
"""

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import Position
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import EngineTimings, ReportedMemory
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.entry import EngineEntry
from pytest_llmbench.engines.protocol import (
    Encoded,
    Engine,
    Generation,
    Reallocating,
    Served,
    Slices,
    Stamps,
    Survey,
    TeacherForcing,
    TopLogprobs,
)
from pytest_llmbench.engines.registry import (
    create_engine,
    engine_entry,
    engine_options,
    engines,
)
from pytest_llmbench.errors import CaseError, EngineNotInstalledError, LoadError

__all__ = [
    "CaseError",
    "Encoded",
    "Engine",
    "EngineEntry",
    "EngineKeys",
    "EngineNotInstalledError",
    "EngineTimings",
    "Generation",
    "LoadError",
    "Message",
    "ModelFacts",
    "Parameters",
    "Position",
    "Reallocating",
    "ReportedMemory",
    "Served",
    "Slices",
    "Stamps",
    "Survey",
    "TeacherForcing",
    "TopLogprobs",
    "create_engine",
    "engine_entry",
    "engine_options",
    "engines",
]
