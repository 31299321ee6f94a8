"""For tests: of engines, of code that uses this package, and of this package itself.

:class:`EngineContract` asks an engine for every promise that its figures rest on; a test class
that names an engine and its keys is all that it needs. The scripted engine
(``engine = "scripted"``) plays a script instead of a model. Its options are
:class:`ScriptedOptions`: the text, the simulated or real time of a token, and every way to fail.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pytest_llmbench.engines.scripted import ScriptedEngine, ScriptedOptions
    from pytest_llmbench.testing.contract import EngineContract

__all__ = ["EngineContract", "ScriptedEngine", "ScriptedOptions"]

_HOMES: Final = {
    "EngineContract": "pytest_llmbench.testing.contract",
    "ScriptedEngine": "pytest_llmbench.engines.scripted",
    "ScriptedOptions": "pytest_llmbench.engines.scripted",
}


def __getattr__(name: str) -> object:
    """Return a public name, importing its home: only the contract needs pytest."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
