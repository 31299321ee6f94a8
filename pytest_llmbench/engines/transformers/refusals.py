"""A load that failed, as a sentence: what was asked, what the library says, which file to replace.

Libraries name a damaged file seldom, and none says what to do about it. So the files are looked at
once more when a load has failed.
"""

from __future__ import annotations

import importlib
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

_SENTENCES: Final = (OSError, ValueError, RuntimeError, ImportError)
"""Errors whose message says enough without their type."""
_LONGEST: Final = 300
_POINTER: Final = b"version https://git-lfs"
_LEGACY: Final = bytes.fromhex("80028a0a6cfc9c46f9206aa85019")
"""What files of torch begin with that are no zip archives."""


def said(exc: Exception) -> str:
    """Return what *exc* says as one line: up to the end of its first sentence, without the stop.

    A line that does not end a sentence goes on in the next one ("… one of these:").
    """
    text = ""
    for line in filter(None, map(str.strip, str(exc).splitlines())):
        text = f"{text} {line}".strip()
        if text.endswith((".", "!", "?")):
            break
    told = text.rstrip(".:")
    told = f"{told[:_LONGEST]} …" if len(told) > _LONGEST else told
    kind = type(exc).__name__
    return told if told and isinstance(exc, _SENTENCES) else f"{kind}: {told}".rstrip(": ")


def load_problem(key: str, name: str, folder: Path, exc: Exception) -> str:
    """Return why *key* = *name* could not be loaded; *folder* is where it is if it is here."""
    if not folder.exists() and isinstance(exc, OSError):
        return (
            f"{key} = {name!r} is neither a folder ({folder} does not exist) nor a {key} "
            f"that the hub gave: {said(exc)}. Correct the path, or download the {key} first"
        )
    told = f"{key} = {name!r} could not be loaded: {said(exc)}"
    remedy = damage(folder) or _remedy(exc)
    return told if remedy is None else f"{told}. {remedy}"


def damage(folder: Path) -> str | None:
    """Return which file of *folder* can't be read, and what to do; ``None`` if all can be."""
    for path in sorted(folder.glob("*")):
        reads = _READS.get(path.suffix)
        wrong = None if reads is None or not path.is_file() else _wrong(path, reads)
        if wrong is not None:
            return f"{path.name} {wrong}"
    return None


def _wrong(path: Path, reads: Callable[[Path], bool]) -> str | None:
    try:
        with path.open("rb") as file:
            if file.read(len(_POINTER)) == _POINTER:
                return "is a pointer of Git LFS, not the file itself; type: git lfs pull"
        return None if reads(path) else "is damaged; copy or download it again"
    except OSError as exc:
        return f"can't be read ({exc.strerror or exc}); make it readable"


def _reads_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


def _reads_safetensors(path: Path) -> bool:
    """Whether the header is whole, and the file as long as it says."""
    library: Any = importlib.import_module("safetensors")
    try:
        with library.safe_open(path, framework="pt"):
            return True
    except library.SafetensorError:
        return False


def _reads_torch(path: Path) -> bool:
    """Whether the file begins and ends as torch's do."""
    with path.open("rb") as file:
        begins = file.read(len(_LEGACY))
    return begins == _LEGACY or zipfile.is_zipfile(path)


_READS: Final[Mapping[str, Callable[[Path], bool]]] = MappingProxyType(
    {".json": _reads_json, ".safetensors": _reads_safetensors, ".bin": _reads_torch}
)


def _remedy(exc: Exception) -> str | None:
    """Return what to do about weights that can't be read, wherever they are."""
    unreadable = (
        pickle.UnpicklingError,
        EOFError,
        importlib.import_module("safetensors").SafetensorError,
    )
    if not isinstance(exc, unreadable) and "unexpected EOF" not in str(exc):
        return None
    return "Its weights can't be read; copy or download them again, as safetensors if you can"
