"""pytest-llmbench: performance and quality regression tests for language models.

Importing this package costs nothing: its names are loaded at their first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_llmbench.errors import (
        BaselineError,
        CaseError,
        ConfigError,
        EngineError,
        EngineNotInstalledError,
        LlmbenchError,
        LoadError,
        NotMeasuredError,
        WorkerCrashedError,
        WorkerError,
        WorkerTimeoutError,
    )
    from pytest_llmbench.plugin.fixtures import Answer, Benchmark, LoadedVariant
    from pytest_llmbench.runner.result import Result, Value

__all__ = [
    "Answer",
    "BaselineError",
    "Benchmark",
    "CaseError",
    "ConfigError",
    "EngineError",
    "EngineNotInstalledError",
    "LlmbenchError",
    "LoadError",
    "LoadedVariant",
    "NotMeasuredError",
    "Result",
    "Value",
    "WorkerCrashedError",
    "WorkerError",
    "WorkerTimeoutError",
]

_HOMES: Final = {
    "Answer": "pytest_llmbench.plugin.fixtures",
    "Benchmark": "pytest_llmbench.plugin.fixtures",
    "LoadedVariant": "pytest_llmbench.plugin.fixtures",
    "Result": "pytest_llmbench.runner.result",
    "Value": "pytest_llmbench.runner.result",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing its home."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "pytest_llmbench.errors")), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
