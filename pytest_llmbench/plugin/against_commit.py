"""The other side of a session that is a commit of the project: its variants and its own code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Final

import msgspec

from pytest_llmbench.config import Config, check_variants, find_config, load_variants
from pytest_llmbench.domain.variant import Moved, Variant
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.plugin.settings import Settings
from pytest_llmbench.probes.installed import copies
from pytest_llmbench.probes.worktree import Worktree

_SHORT: Final = 10
_LONGEST_PATH: Final = 1000


class Commit:
    """The other side that is a commit of the project.

    Args:
        spec: what was typed.
        commit: what that is, in full.
        worktree: the commit, checked out.
        settings: the options.
        config: the configuration of this side.
        shown: how messages call its file.

    Attributes:
        short: the commit, abbreviated.
    """

    def __init__(
        self,
        spec: str,
        commit: str,
        worktree: Worktree,
        settings: Settings,
        config: Config,
        shown: str,
    ) -> None:
        self._spec = spec
        self.short = commit[:_SHORT]
        self._worktree = worktree
        self._settings = settings
        self._config = config
        self._shown = f"{shown} of {spec}"
        self._keep_environments()

    def twins(self, variants: Sequence[str]) -> tuple[dict[str, Variant], tuple[str, ...]]:
        """Return a twin for each of *variants* that the commit has, and what is to be said."""
        self._check_imports()
        found, names = load_variants(
            self._source(),
            engine_options(),
            variants,
            overrides=self._settings.overrides,
            shown=self._shown,
        )
        shared = {path: None for variant in found.values() for path in self._shared(variant)}
        twins = {name: self._twin(found[name]) for name in variants if name in found}
        self._check(twins)
        return twins, (*self._only_here(variants, names), *self._only_there(names), *_both(shared))

    def _check_imports(self) -> None:
        """Refuse a project that is installed as a copy: both sides would run that."""
        for folder in {self._worktree.repository.root, self._settings.root.resolve()}:
            for name, place in copies(folder).items():
                raise ConfigError(
                    f"this project's package {name!r} is installed as a copy in {place}, so both "
                    f"sides would run the same code; install it in place ({sys.executable} -m pip "
                    f"install -e {folder}), or install {self._spec} into another virtual "
                    "environment and name its folder"
                )

    def _source(self) -> Path:
        """Return the commit's configuration: the same file, or the one that it has in its place."""
        there = self._worktree.counterpart(self._config.source.absolute())
        if there is None:
            raise ConfigError(
                f"{self._config.source} is not in the repository {self._worktree.repository.root}, "
                "so no commit has it; move it there, or compare with another interpreter"
            )
        if there.is_file():
            return there
        other = None if self._settings.config else find_config(there.parent)
        if other is None:
            raise ConfigError(
                f"commit {self.short} has no {self._shown.removesuffix(f' of {self._spec}')}; "
                "name one that has, or commit it first"
            )
        return other

    def _twin(self, variant: Variant) -> Variant:
        """Return *variant*, which is the commit's, with that commit's code around it."""
        twin = msgspec.structs.replace(variant, id=f"{variant.id}@{self._spec}")
        if variant.host is not None:
            return twin
        moved = Moved(here=self._worktree.repository.root, there=self._worktree.root)
        return msgspec.structs.replace(twin, moved=moved, python=self._python(variant.python))

    def _python(self, python: str | None) -> str | None:
        """Return the interpreter *python*, the checkout's where the commit has none there."""
        path = Path(python or "")
        if path.exists() or not path.is_relative_to(self._worktree.root):
            return python
        here = self._worktree.repository.root / path.relative_to(self._worktree.root)
        return str(here) if here.exists() else python

    def _check(self, twins: Mapping[str, Variant]) -> None:
        by_name = dict(twins)
        config = msgspec.structs.replace(self._config, variants=by_name)
        check_variants(config, by_name, engine_options(), shown=self._shown)

    def _keep_environments(self) -> None:
        """Have the session's environment where it is, should git not ignore it."""
        repository = self._worktree.repository
        for prefix in {Path(sys.prefix), Path(sys.base_prefix)}:
            relative = repository.inside(prefix)
            if relative is not None and relative.parts:
                self._worktree.link(relative)

    def _shared(self, variant: Variant) -> Iterator[PurePath]:
        """Yield the paths among the options of *variant* that are not the commit's.

        Those that git ignores are links already; others that it does not track are made such.
        """
        root = self._worktree.root
        if variant.host is not None:
            return
        for text in _texts(variant.options):
            path = Path(os.path.normpath(variant.base_dir / text))
            if path == root or not path.is_relative_to(root):
                continue
            relative = PurePath(path.relative_to(root))
            if self._untracked(path, relative):
                self._worktree.link(relative)
            if any(_overlap(relative, link) for link in self._worktree.links):
                yield relative

    def _untracked(self, path: Path, relative: PurePath) -> bool:
        """Whether the commit lacks *path*, and the checkout has it, though git does not."""
        repository = self._worktree.repository
        here = repository.root / relative
        return not os.path.lexists(path) and here.exists() and not repository.is_tracked(here)

    def _only_here(self, variants: Iterable[str], names: Sequence[str]) -> Iterator[str]:
        for name in variants:
            if name not in names:
                yield f"{name!r} is new: {self._spec} has no such variant, so it is not measured"

    def _only_there(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            globs = self._settings.variants or ("*",)
            wanted = any(fnmatchcase(name, glob) for glob in globs)
            if wanted and name not in self._config.variants:
                yield f"{name!r} is left out: only {self._spec} has such a variant"


def _both(shared: Iterable[PurePath]) -> Iterator[str]:
    """Yield a sentence about all that both sides have from the checkout."""
    paths = ", ".join(path.as_posix() for path in shared)
    if paths:
        yield f"both sides use this checkout's {paths}, which git does not track"


def _texts(value: object) -> Iterator[str]:
    """Yield every text in *value* that may be a path."""
    if isinstance(value, str) and value and len(value) < _LONGEST_PATH and value.isprintable():
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in _texts(each))
    elif isinstance(value, (list, tuple)):
        yield from (text for each in value for text in _texts(each))


def _overlap(one: PurePath, other: PurePath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
