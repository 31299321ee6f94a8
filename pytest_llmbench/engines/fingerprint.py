"""Fingerprints of model files: equal weights have equal ones, whatever the folder is called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_WEIGHTS: Final = ("*.safetensors", "*.bin", "*.pt", "*.gguf", "*.npz")
_DESCRIPTIONS: Final = ("*.json", "*.model", "*.jinja", "*.txt")
_WHOLE_BELOW: Final = 2**30
_BLOCKS: Final = 256
_BLOCK: Final = 2**20


def folder_fingerprint(folder: Path) -> str:
    """Return 16 hex digits for the weights, tokenizer and configuration files in *folder*."""
    names = {path for glob in (*_WEIGHTS, *_DESCRIPTIONS) for path in folder.glob(glob)}
    return files_fingerprint(sorted(names))


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Return 16 hex digits for these files together: their names and contents, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}:{file_fingerprint(path)}\n".encode())
    return digest.hexdigest()[:16]


def file_fingerprint(path: Path) -> str:
    """Return 16 hex digits for one file.

    A file below 1 GiB is read whole; of a larger one the size and 256 blocks of 1 MiB, evenly
    spread, are read, so that naming a 100 GB model costs a second and not minutes.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for offset in _offsets(size):
            file.seek(offset)
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:16]


def _offsets(size: int) -> Iterator[int]:
    if size < _WHOLE_BELOW:
        yield from range(0, size, _BLOCK)
    else:
        yield from ((size - _BLOCK) * block // (_BLOCKS - 1) for block in range(_BLOCKS))
