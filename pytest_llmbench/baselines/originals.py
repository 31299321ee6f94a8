"""What a baseline keeps of its reference: texts and probabilities, about 2 KB a token.

It lies beside the baseline as ``<name>.reference``, in msgpack: it is large, nobody reads it, and
it need not be under version control. The newest session that measured the reference has the say.

History of ``schema_version``: 1, the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from pytest_llmbench.domain.drift import KeptOriginals
from pytest_llmbench.errors import BaselineError

SCHEMA_VERSION: Final = 1


class _Version(msgspec.Struct):
    schema_version: int


def encode(kept: KeptOriginals) -> bytes:
    """Return *kept* as the bytes of its file."""
    return msgspec.msgpack.encode(kept)


def decode(data: bytes, path: Path) -> KeptOriginals:
    """Return what is in *data*, read at *path*.

    Raises:
        BaselineError: corrupt, or newer than this version of pytest-llmbench.
    """
    try:
        version = msgspec.msgpack.decode(data, type=_Version).schema_version
        if version > SCHEMA_VERSION:
            raise BaselineError(
                f"{path} has schema_version {version}, but this pytest-llmbench reads up to "
                f"{SCHEMA_VERSION}; upgrade it with: pip install --upgrade pytest-llmbench"
            )
        return msgspec.msgpack.decode(data, type=KeptOriginals)
    except msgspec.DecodeError as exc:
        raise BaselineError(
            f"{path}, what a baseline keeps of its reference, can't be read: {exc}; delete it, and "
            "save a session that measures the reference"
        ) from exc
