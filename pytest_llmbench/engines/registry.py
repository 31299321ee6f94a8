"""The lazy table of engines: name → module, class, the keys it takes and how it is installed.

Another package adds its own through the entry-point group ``pytest_llmbench.engines``: the name is
the engine's, the object an :class:`EngineEntry`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Final, cast

from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.protocol import Engine
from pytest_llmbench.errors import ConfigError

ENTRY_POINTS: Final = "pytest_llmbench.engines"
"""The entry-point group of other people's engines."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EngineEntry:
    """One engine: where its adapter lives and what it needs.

    Attributes:
        module: holds the adapter; importing it must not import the engine's library.
        adapter: the class that implements :class:`.Engine`.
        options: the struct (an :class:`.EngineKeys`) of the keys that ``[variants.NAME]`` may
            hold for it.
        install: the line to type that installs its libraries; ``None`` needs none.
        libraries: distributions that it needs; their versions are recorded.
        optional: distributions that some of its keys need; recorded where they are installed.
        survey: a function of *module* that imports the library and returns a
            :class:`.Survey` for ``llmbench doctor``; ``None`` where there is nothing to ask.
    """

    module: str
    adapter: str
    options: str
    install: str | None = None
    libraries: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    survey: str | None = None

    def options_type(self) -> type[EngineKeys]:
        """Return the struct of the engine's keys."""
        return cast("type[EngineKeys]", getattr(importlib.import_module(self.module), self.options))

    def create(self) -> Engine:
        """Return a new adapter; its libraries are imported by its ``start``."""
        adapter: type[Engine] = getattr(importlib.import_module(self.module), self.adapter)
        return adapter()


def _extra(name: str) -> str:
    return f"pip install 'pytest-llmbench[{name}]'"


BUILT_IN: Final[Mapping[str, EngineEntry]] = MappingProxyType(
    {
        "transformers": EngineEntry(
            module="pytest_llmbench.engines.transformers",
            adapter="TransformersEngine",
            options="TransformersOptions",
            install=_extra("transformers"),
            libraries=("transformers", "torch", "tokenizers", "accelerate", "safetensors"),
            optional=("bitsandbytes", "peft"),
            survey="survey",
        ),
        "llama-cpp": EngineEntry(
            module="pytest_llmbench.engines.llama_cpp",
            adapter="LlamaCppEngine",
            options="LlamaCppOptions",
            install=_extra("llama-cpp"),
            libraries=("llama-cpp-python",),
            survey="survey",
        ),
        "mlx": EngineEntry(
            module="pytest_llmbench.engines.mlx",
            adapter="MlxEngine",
            options="MlxOptions",
            install=_extra("mlx"),
            libraries=("mlx-lm", "mlx", "transformers"),
            survey="survey",
        ),
        "openai": EngineEntry(
            module="pytest_llmbench.engines.openai",
            adapter="OpenAIEngine",
            options="OpenAIOptions",
            install=_extra("openai"),
            libraries=("httpx", "httpx-sse"),
        ),
        "ollama": EngineEntry(
            module="pytest_llmbench.engines.ollama",
            adapter="OllamaEngine",
            options="OllamaOptions",
            install=_extra("openai"),
            libraries=("httpx",),
        ),
        "scripted": EngineEntry(
            module="pytest_llmbench.engines.scripted",
            adapter="ScriptedEngine",
            options="ScriptedOptions",
        ),
    }
)
"""Every engine that comes with this package."""


@functools.cache
def engines() -> Mapping[str, EngineEntry]:
    """Return every engine: those built in, then those of other packages.

    Raises:
        ConfigError: a package's entry point can't be loaded, holds no :class:`EngineEntry`, or
            takes a name that is taken.
    """
    found = dict(BUILT_IN)
    for point in metadata.entry_points(group=ENTRY_POINTS):
        if point.name in found:
            raise _refused(point, "that name is taken; give it another")
        found[point.name] = _loaded(point)
    return MappingProxyType(found)


def engine_entry(name: str) -> EngineEntry:
    """Return the entry of the engine *name*; raises KeyError, as configurations are checked."""
    return engines()[name]


def engine_options() -> dict[str, Callable[[], type[EngineKeys]]]:
    """Return, for each engine, the function that gives the struct of its keys."""
    return {name: entry.options_type for name, entry in engines().items()}


def create_engine(name: str) -> Engine:
    """Return a new adapter of the engine *name*."""
    return engine_entry(name).create()


def _loaded(point: metadata.EntryPoint) -> EngineEntry:
    try:
        entry = point.load()
    except (ImportError, AttributeError) as exc:
        raise _refused(point, f"it can't be loaded: {exc}; correct or uninstall it") from exc
    if not isinstance(entry, EngineEntry):
        raise _refused(point, f"it is a {type(entry).__name__}, not an EngineEntry; correct it")
    return entry


def _refused(point: metadata.EntryPoint, problem: str) -> ConfigError:
    package = point.dist.name if point.dist is not None else "a package"
    return ConfigError(f"the engine {point.name!r} ({point.value}) of {package}: {problem}")
