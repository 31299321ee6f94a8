"""The lazy table of engines: name → module, class, the keys it takes and how it is installed.

Another package adds its own through the entry-point group ``pytest_llmbench.engines``: the name is
the engine's, the object an :class:`EngineEntry`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Final

from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.discovery import ENTRY_POINTS, Discovered, discover
from pytest_llmbench.engines.entry import EngineEntry, check_needs, started
from pytest_llmbench.engines.protocol import Engine
from pytest_llmbench.errors import ConfigError, EngineNotInstalledError, LoadError


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
            survey="survey",
        ),
        "scripted": EngineEntry(
            module="pytest_llmbench.engines.scripted",
            adapter="ScriptedEngine",
            options="ScriptedOptions",
        ),
    }
)
"""Every engine that comes with this package."""


def engines() -> Mapping[str, EngineEntry]:
    """Return every engine that can be used: those built in, then those of other packages."""
    return MappingProxyType({**BUILT_IN, **discovered().entries})


@functools.cache
def discovered() -> Discovered:
    """Return the engines of other packages, those that can't be used among them."""
    return discover(metadata.entry_points(group=ENTRY_POINTS), BUILT_IN)


def engine_entry(name: str) -> EngineEntry:
    """Return the entry of the engine *name*; raises KeyError, as configurations are checked."""
    return engines()[name]


def engine_options() -> dict[str, Callable[[], type[EngineKeys]]]:
    """Return, for each engine, the function that gives the struct of its keys.

    The function of an engine that can't be used raises :class:`.ConfigError`.
    """
    usable = {name: functools.partial(_keys_of, name) for name in engines()}
    broken = {name: functools.partial(_refuse, why) for name, why in discovered().problems.items()}
    return {**usable, **broken}


def create_engine(name: str) -> Engine:
    """Return a new adapter of the engine *name*, not started."""
    return engine_entry(name).create()


def start_engine(name: str) -> Engine:
    """Return a new adapter of the engine *name*, its libraries imported.

    Raises:
        EngineNotInstalledError: the engine, or one of its libraries, is absent for this Python.
        LoadError: the engine is here, but broken.
    """
    entry = engines().get(name)
    if entry is not None:
        return started(name, entry)
    if name in discovered().problems:
        raise LoadError(discovered().problems[name])
    raise EngineNotInstalledError(
        f"the engine {name!r} is not known to {sys.executable}; install the package that brings "
        "it for that Python too"
    )


def check_keys(name: str, options: Mapping[str, object]) -> None:
    """Check that what *options* of the engine *name* need beside it is installed.

    Raises:
        EngineNotInstalledError: a distribution is absent; the message has the line to type.
    """
    check_needs(engine_entry(name), options)


def _keys_of(name: str) -> type[EngineKeys]:
    try:
        return engine_entry(name).options_type()
    except ConfigError as exc:
        raise ConfigError(f"the engine {name!r}: {exc}") from exc


def _refuse(problem: str) -> type[EngineKeys]:
    raise ConfigError(problem)
