"""In a worker's process: the project's own code is imported from another folder than usual.

This file is run by its path before anything of this package is imported, since the package may be
what comes from elsewhere; until then it imports the standard library alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType


def import_from(there: str, here: str, spoken: str) -> None:
    """Have everything that would be imported from the folder *here* come from *there*.

    The import path is changed, and what other finders find (packages installed in place) is
    looked for in *there*; where it is missing there, it is missing. What *there* has as a link to
    *here* (environments, generated files) stays where it is. The current folder moves too, and
    Python that this process starts has the same path.

    Raises:
        RuntimeError: this package is what comes from *there*, and its messages are not *spoken*.
    """
    moved = Moved(there, here)
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    changed = [moved.path(entry) for entry in sys.path if moved.path(entry) != entry]
    for_children = dict.fromkeys((*changed, *map(moved.path, filter(None, inherited))))
    if for_children:
        os.environ["PYTHONPATH"] = os.pathsep.join(for_children)
    sys.path[:] = [moved.path(entry) for entry in sys.path]
    sys.meta_path.insert(0, moved)
    folder = moved.path(os.getcwd())  # noqa: PTH109 — pathlib is slow to import
    if os.path.isdir(folder):  # noqa: PTH112 — as above
        os.chdir(folder)
    _check_package(spoken)


def _check_package(spoken: str) -> None:
    its = "none that are known"
    with contextlib.suppress(ImportError):
        from pytest_llmbench.worker.protocol import protocol

        its = protocol()
    if its != spoken:
        raise RuntimeError(
            f"pytest-llmbench of that commit does not understand this session's (its messages are "
            f"{its}, the session's {spoken}); name a commit since they last changed"
        )


class Moved:
    """Finds modules in *there* where other finders find them in *here*."""

    def __init__(self, there: str, here: str) -> None:
        self._there = os.path.realpath(there)
        self._here = os.path.realpath(here)

    def path(self, path: str) -> str:
        """Return what stands for *path*: itself, where it is elsewhere or the same file."""
        real = os.path.realpath(path)
        if real != self._here and not real.startswith(self._here + os.sep):
            return path
        moved = self._there + real[len(self._here) :]
        return path if os.path.realpath(moved) == real else moved

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module *name* is, asking the other finders in their order.

        Raises:
            ModuleNotFoundError: it is in *here* alone, where the others would find it next.
        """
        only_here = False
        for finder in sys.meta_path:
            ask = getattr(finder, "find_spec", None)
            spec = ask(name, path, target) if ask is not None and finder is not self else None
            if spec is not None and (found := self._moved(spec)) is not None:
                return found
            only_here = only_here or spec is not None
        if only_here:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

    def _moved(self, spec: ModuleSpec) -> ModuleSpec | None:
        """Return *spec*, or the same module elsewhere; ``None`` where it is not there."""
        folders = spec.submodule_search_locations
        inside = None if folders is None else [self.path(folder) for folder in folders]
        if spec.origin is None or not spec.has_location:
            if folders is not None and inside is not None and inside != list(folders):
                spec.submodule_search_locations = inside  # a package without a file
            return spec
        origin = self.path(spec.origin)
        if origin == spec.origin:
            return spec
        if not os.path.isfile(origin):  # noqa: PTH113 — as above
            return None
        return importlib.util.spec_from_file_location(
            spec.name, origin, submodule_search_locations=inside
        )
