"""Baselines as files: ``<root>/<machine>/<name>.json``, fit for version control.

Writing is atomic: another process sees the old file or the new one, and a crash leaves the old
one. Reading and writing between them hold a lock in the user's temporary folder, so that two
sessions that save at once both get in and no lock file is left in a repository.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import filelock
import msgspec

from pytest_llmbench.baselines.format import (
    SCHEMA_VERSION,
    decode,
    encode,
    newer,
    stored_version,
)
from pytest_llmbench.baselines.originals import decode as decode_originals
from pytest_llmbench.baselines.originals import encode as encode_originals
from pytest_llmbench.domain.baseline import Baseline, BaselineSession
from pytest_llmbench.domain.drift import KeptOriginals
from pytest_llmbench.errors import BaselineError

WINDOW: Final = 10
"""Sessions that a baseline keeps; the oldest makes room."""

_SAFE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")
_OF_REFERENCE: Final = ".reference"
_LOCK_TIMEOUT_S: Final = 60.0


class Store:
    """The baselines under *root*, a folder that need not exist yet.

    Every method raises :class:`.BaselineError` for a machine or baseline name that is no safe
    file name, and where the file system refuses.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, machine: str, name: str) -> Baseline | None:
        """Return the baseline, or ``None`` where there is none.

        It bears the names it was asked by: a copied file is a baseline under its new name.

        Raises:
            BaselineError: the file is corrupt, newer than this version, or can't be read.
        """
        path = self._path(machine, name)
        data = _read(path)
        if data is None:
            return None
        return msgspec.structs.replace(decode(data, path), machine=machine, name=name)

    def add(
        self, machine: str, name: str, session: BaselineSession, *, window: int = WINDOW
    ) -> Path:
        """Add *session* as the newest, keep the newest *window*, and return the file.

        Raises:
            BaselineError: the file there is corrupt or newer (and stays as it is), *window* is
                below 1, or the file can't be written.
        """
        if window < 1:
            raise BaselineError(f"a baseline keeps at least 1 session, but {window} were asked for")
        path = self._path(machine, name)
        with _locked(path):
            before = self.read(machine, name)
            sessions = (*(before.sessions if before else ()), session)
            return _write(path, _baseline(machine, name, sessions[-window:]))

    def replace(self, machine: str, name: str, session: BaselineSession) -> Path:
        """Start the baseline anew with *session* alone, and return the file.

        This is the user's word to drop what was there, so a corrupt file is replaced; one of a
        newer version is not, because somebody still reads it.

        Raises:
            BaselineError: the file there is newer than this version, or can't be written.
        """
        path = self._path(machine, name)
        with _locked(path):
            _refuse_newer(path)
            return _write(path, _baseline(machine, name, (session,)))

    def read_originals(self, machine: str, name: str) -> KeptOriginals | None:
        """Return what the baseline keeps of its reference; ``None`` where it keeps nothing.

        Raises:
            BaselineError: the file is corrupt, newer than this version, or can't be read.
        """
        path = self._path(machine, name, _OF_REFERENCE)
        data = _read(path)
        return None if data is None else decode_originals(data, path)

    def write_originals(self, machine: str, name: str, kept: KeptOriginals) -> Path:
        """Keep *kept* in place of what was kept before, and return the file.

        Raises:
            BaselineError: the file there is corrupt or newer (and stays as it is), or can't be
                written.
        """
        path = self._path(machine, name, _OF_REFERENCE)
        with _locked(path):
            self.read_originals(machine, name)  # a newer one is somebody's, and stays
            return _put(path, encode_originals(kept))

    def drop_originals(self, machine: str, name: str) -> None:
        """Keep nothing of the reference any more.

        Raises:
            BaselineError: the file is newer than this version, or can't be deleted.
        """
        path = self._path(machine, name, _OF_REFERENCE)
        with _locked(path), _translated(path, "deleted"):
            self.read_originals(machine, name)
            path.unlink(missing_ok=True)

    def check_writable(self, machine: str, name: str) -> None:
        """Do nothing where the baseline could be written, so that nobody measures in vain.

        Raises:
            BaselineError: it could not be written, or is newer than this version.
        """
        path = self._path(machine, name)
        _refuse_newer(path)
        self.read_originals(machine, name)
        folder = path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        probe = folder / f".llmbench-{secrets.token_hex(8)}.tmp"
        with _translated(path, "written"):
            probe.touch(exist_ok=False)
            probe.unlink()

    def names(self, machine: str) -> tuple[str, ...]:
        """Return the names of the machine's baselines, sorted."""
        folder = self.root / _safe("machine", machine)
        with _translated(folder, "listed"):
            return tuple(sorted(path.stem for path in folder.glob("*.json") if _named(path)))

    def machines(self) -> tuple[str, ...]:
        """Return the machines that have baselines, sorted."""
        with _translated(self.root, "listed"):
            return tuple(
                sorted({path.parent.name for path in self.root.glob("*/*.json") if _named(path)})
            )

    def _path(self, machine: str, name: str, suffix: str = ".json") -> Path:
        return self.root / _safe("machine", machine) / f"{_safe('baseline', name)}{suffix}"


def _baseline(machine: str, name: str, sessions: tuple[BaselineSession, ...]) -> Baseline:
    return Baseline(schema_version=SCHEMA_VERSION, machine=machine, name=name, sessions=sessions)


def _safe(what: str, name: str) -> str:
    if not _SAFE.fullmatch(name):
        raise BaselineError(
            f"{what} name {name!r} is no safe file name; use up to 100 letters, digits and . _ -, "
            "not starting with a dot"
        )
    return name


def _named(path: Path) -> bool:
    return bool(_SAFE.fullmatch(path.stem) and _SAFE.fullmatch(path.parent.name))


def _read(path: Path) -> bytes | None:
    with _translated(path, "read"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _refuse_newer(path: Path) -> None:
    data = _read(path)
    try:
        version = None if data is None else stored_version(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    if version is not None and version > SCHEMA_VERSION:
        raise newer(path, version)


def _write(path: Path, baseline: Baseline) -> Path:
    return _put(path, encode(baseline))


def _put(path: Path, data: bytes) -> Path:
    """Put the file in place in one step, its bytes safely on the disk before."""
    with _translated(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.stem}-{secrets.token_hex(8)}.tmp")
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    return path


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    owner = getattr(os, "getuid", lambda: "user")()
    folder = Path(tempfile.gettempdir()) / f"pytest-llmbench-{owner}"
    key = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
    with _translated(path, "locked"):
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = filelock.FileLock(folder / f"{key}.lock", timeout=_LOCK_TIMEOUT_S)
        with lock:
            yield


@contextmanager
def _translated(path: Path, done: str) -> Iterator[None]:
    """Turn what the file system says into a sentence; let our own errors through."""
    try:
        yield
    except filelock.Timeout as exc:
        raise BaselineError(
            f"baseline {path} can't be {done}: another session has held it for "
            f"{_LOCK_TIMEOUT_S:.0f} s; wait for it, or end it"
        ) from exc
    except OSError as exc:
        raise BaselineError(
            f"baseline {path} can't be {done}: {exc.strerror or exc}; check the folder, or name "
            "another with --llmbench-baselines=DIR"
        ) from exc
