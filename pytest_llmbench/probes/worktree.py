"""Another commit of a repository, in a folder of its own for as long as it is needed.

Git does it, by its program. The user's checkout and index are never written: git notes the folder
in its own directory, as it does for every worktree, and forgets it when the folder goes. What git
ignores (weights, data, generated files) is no part of any commit: links in the folder lead to the
checkout's, so that both have the same.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Final

from filelock import FileLock, Timeout

from pytest_llmbench.errors import ConfigError

_PREFIX: Final = "llmbench-against-"
_LOCK: Final = "lock"
_TIMEOUT_S: Final = 60.0
_CHECKOUT_TIMEOUT_S: Final = 1800.0

_OF_ANOTHER: Final = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)
"""A git hook that runs pytest sets these: git would write that repository's index with them."""

_BUILT: Final = frozenset({".pyc", ".pyo", ".so", ".pyd", ".dylib"})
"""What was built of the checkout's sources stands for no other commit's."""


class Repository:
    """A repository with a checkout.

    Attributes:
        root: the topmost folder of the checkout, without symbolic links.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def around(cls, folder: Path) -> Repository:
        """Return the repository that *folder* is in.

        Raises:
            ConfigError: there is none, or no git.
        """
        top = _git(folder, "rev-parse", "--show-toplevel").removesuffix("\n")
        return cls(Path(top).resolve())

    def commit(self, revision: str) -> str | None:
        """Return the commit that *revision* names, in full; ``None`` where git knows none."""
        if not revision or revision.startswith("-"):
            return None
        asked = ("rev-parse", "--verify", "--quiet")
        try:
            found = _git(self.root, *asked, revision).strip()
            return _git(self.root, *asked, f"{found}^{{commit}}").strip()
        except ConfigError:
            return None

    @property
    def shallow(self) -> bool:
        """Whether older commits were left out when it was cloned."""
        return _git(self.root, "rev-parse", "--is-shallow-repository").strip() == "true"

    def ignored(self) -> Iterator[str]:
        """Yield what git ignores, relative to *root*: files, and folders that it ignores whole.

        Left out is what Python or a compiler built of the checkout's sources.
        """
        listed = _git(
            self.root,
            *("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"),
        )
        for path in map(PurePath, filter(None, listed.split("\0"))):
            if "__pycache__" not in path.parts and path.suffix not in _BUILT:
                yield path.as_posix()

    def is_tracked(self, path: Path) -> bool:
        """Whether git knows the file *path*, or any in the folder *path*, of the checkout."""
        return bool(_git(self.root, "ls-files", "-z", "--", f":(literal){path}"))

    def inside(self, path: Path) -> PurePath | None:
        """Return *path* relative to *root*; ``None`` where it is elsewhere."""
        resolved = path.parent.resolve() / path.name
        return resolved.relative_to(self.root) if resolved.is_relative_to(self.root) else None


class Worktree:
    """A commit, checked out for as long as this is open.

    Attributes:
        repository: whose.
        root: the folder.
        links: what in it leads to the checkout, relative to *root*.

    Raises:
        ConfigError: git can't check it out; says why.
    """

    def __init__(self, repository: Repository, commit: str) -> None:
        _remove_leftovers(repository)
        self.repository = repository
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._lock = FileLock(self._folder / _LOCK)
        self._lock.acquire()
        self._open = True
        self.root = self._folder / repository.root.name
        self.links: list[PurePath] = []
        atexit.register(self.close)
        try:
            _git(
                repository.root,
                *("-c", f"core.hooksPath={os.devnull}", "-c", "submodule.recurse=false"),
                *("worktree", "add", "--detach", str(self.root), commit),
                timeout_s=_CHECKOUT_TIMEOUT_S,
            )
            for path in repository.ignored():
                self.link(PurePath(path))
        except BaseException:
            self.close()
            raise

    def counterpart(self, path: Path) -> Path | None:
        """Return what stands here for *path* of the checkout; ``None`` for paths elsewhere."""
        relative = self.repository.inside(path)
        return None if relative is None else self.root / relative

    def link(self, path: PurePath) -> None:
        """Have *path*, relative to the root, lead to the checkout's, unless the commit has it.

        Where no link can be made (Windows allows them to some users only), nothing is there.
        """
        here = self.root / path
        inside = here.parent.resolve().is_relative_to(
            self.root
        )  # a link of the commit may lead out
        if not inside or os.path.lexists(here):
            return
        with contextlib.suppress(OSError):
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(self.repository.root / path)
            self.links.append(path)

    def close(self) -> None:
        """Remove the folder, and git's note of it. May be called again; never raises."""
        if self._open:
            self._open = False
            _remove(self.repository, self.root, self._lock)
            atexit.unregister(self.close)


def _remove_leftovers(repository: Repository) -> None:
    """Remove what sessions left that were killed: nobody holds its lock any more."""
    for line in _git(repository.root, "worktree", "list", "--porcelain").splitlines():
        root = Path(line.removeprefix("worktree "))
        lock = root.parent / _LOCK
        if root.parent.name.startswith(_PREFIX) and lock.is_file():
            held = FileLock(lock)
            with contextlib.suppress(Timeout, OSError):
                held.acquire(timeout=0)
                _remove(repository, root, held)


def _remove(repository: Repository, root: Path, lock: FileLock) -> None:
    with contextlib.suppress(ConfigError):
        _git(repository.root, "worktree", "remove", "--force", str(root))
    lock.release()
    shutil.rmtree(root.parent, ignore_errors=True)


def _git(folder: Path, *words: str, timeout_s: float = _TIMEOUT_S) -> str:
    """Return what git says.

    Raises:
        ConfigError: it is not installed, or refuses; with its last line.
    """
    program = shutil.which("git")
    if program is None:
        raise ConfigError("git is not installed; install it")
    inherited = {name: text for name, text in os.environ.items() if name not in _OF_ANOTHER}
    try:
        done = subprocess.run(  # noqa: S603 — git itself, no shell
            [program, *words],
            cwd=folder,
            env={**inherited, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ConfigError(f"git {_verb(words)} failed in {folder}: {exc}") from exc
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        last = said[-1] if said else f"status {done.returncode}"
        raise ConfigError(f"git {_verb(words)} failed in {folder}: {last}")
    return done.stdout


def _verb(words: tuple[str, ...]) -> str:
    """Return git's subcommand, for messages: ``worktree add``."""
    plain = [word for word in words if not word.startswith("-") and "=" not in word]
    return " ".join(plain[: 2 if plain[0] == "worktree" else 1])
