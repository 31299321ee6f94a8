"""The lazy table of engines: name → module, class, the keys it takes and how it is installed."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from typing import Final, cast

from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.protocol import Engine


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One engine: where its adapter lives and what it needs.

    Attributes:
        module: holds the adapter; importing it must not import the engine's library.
        adapter: the class that implements :class:`.Engine`.
        options: the struct of the keys that ``[variants.NAME]`` may hold for it.
        extra: the extra of this package that installs its libraries; ``None`` needs none.
        libraries: distributions whose versions are recorded.
    """

    module: str
    adapter: str
    options: str
    extra: str | None
    libraries: tuple[str, ...]

    def options_type(self) -> type[EngineKeys]:
        """Return the struct of the engine's keys."""
        return cast("type[EngineKeys]", getattr(importlib.import_module(self.module), self.options))

    def create(self) -> Engine:
        """Return a new adapter; its libraries are imported by its ``start``."""
        adapter: type[Engine] = getattr(importlib.import_module(self.module), self.adapter)
        return adapter()


ENGINES: Final[dict[str, Entry]] = {
    "transformers": Entry(
        module="pytest_llmbench.engines.transformers",
        adapter="TransformersEngine",
        options="TransformersOptions",
        extra="transformers",
        libraries=("transformers", "torch", "tokenizers", "accelerate", "safetensors"),
    ),
    "scripted": Entry(
        module="pytest_llmbench.engines.scripted",
        adapter="ScriptedEngine",
        options="ScriptedOptions",
        extra=None,
        libraries=(),
    ),
}
"""Every engine this version knows."""


def engine_entry(name: str) -> Entry:
    """Return the entry of the engine *name*; raises KeyError, as configurations are checked."""
    return ENGINES[name]


def engine_options() -> dict[str, Callable[[], type[EngineKeys]]]:
    """Return, for each engine, the function that gives the struct of its keys."""
    return {name: entry.options_type for name, entry in ENGINES.items()}


def create_engine(name: str) -> Engine:
    """Return a new adapter of the engine *name*."""
    return engine_entry(name).create()
