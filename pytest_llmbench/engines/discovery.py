"""Other people's engines: what the entry points of installed packages hold.

A broken one must not end a session that does not use it: it is kept as a problem, which
``llmbench doctor`` shows and a variant under that engine raises.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from importlib import metadata
from types import MappingProxyType
from typing import Final

from pytest_llmbench.engines.entry import EngineEntry

ENTRY_POINTS: Final = "pytest_llmbench.engines"
"""The entry-point group of other people's engines."""


@dataclasses.dataclass(frozen=True, slots=True)
class Discovered:
    """Engines of other packages, by name.

    Attributes:
        entries: those that can be used.
        packages: the distributions that brought these, with their versions.
        problems: why others can't be used.
        ignored: what is wrong with entry points whose name an engine of this package has; that
            engine works as ever.
    """

    entries: Mapping[str, EngineEntry]
    packages: Mapping[str, str]
    problems: Mapping[str, str]
    ignored: Mapping[str, str]


def discover(points: Iterable[metadata.EntryPoint], taken: Iterable[str]) -> Discovered:
    """Return what *points* hold; the names *taken* stay with the engines that have them."""
    by_name: dict[str, list[metadata.EntryPoint]] = {}
    for point in points:
        by_name.setdefault(point.name, []).append(point)
    own = frozenset(taken)
    ignored = {name: _taken(by_name.pop(name)) for name in sorted(own & by_name.keys())}
    entries: dict[str, EngineEntry] = {}
    problems: dict[str, str] = {}
    for name in sorted(by_name):
        found = _one_of(by_name[name])
        if isinstance(found, EngineEntry):
            entries[name] = found
        else:
            problems[name] = found
    packages = {name: _package(by_name[name][0], version=True) for name in entries}
    return Discovered(
        entries=MappingProxyType(entries),
        packages=MappingProxyType(packages),
        problems=MappingProxyType(problems),
        ignored=MappingProxyType(ignored),
    )


def _one_of(points: list[metadata.EntryPoint]) -> EngineEntry | str:
    """Return the engine of the one point that a name should have, or what is wrong with it."""
    if len(points) > 1:
        return _problem(points, "only one of them may have that name; uninstall the others")
    try:
        entry = points[0].load()
    except Exception as exc:  # noqa: BLE001 — importing a foreign module may raise anything
        problem = f"it can't be loaded: {type(exc).__name__}: {exc}; correct it or uninstall it"
        return _problem(points, problem)
    if not isinstance(entry, EngineEntry):
        problem = f"it has to be an EngineEntry, but is of the type {type(entry).__name__}"
        return _problem(points, f"{problem}; correct it or uninstall it")
    return entry


def _taken(points: list[metadata.EntryPoint]) -> str:
    return _problem(points, "an engine of pytest-llmbench has that name; give it another")


def _problem(points: list[metadata.EntryPoint], problem: str) -> str:
    sources = " and ".join(f"{_package(point)} ({point.value})" for point in points)
    return f"the engine {points[0].name!r} of {sources}: {problem}"


def _package(point: metadata.EntryPoint, *, version: bool = False) -> str:
    if point.dist is None:
        return "a package"
    return f"{point.dist.name} {point.dist.version}" if version else point.dist.name
