"""The model's files, where the command that starts a server names them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pytest_llmbench.engines.fingerprint import file_fingerprint, folder_fingerprint


def named_files(command: tuple[str, ...], model: str, folder: Path) -> dict[str, Path]:
    """Return the files and folders on this machine that the *command*'s arguments or *model* name.

    The key is the word that names it: a path, or what follows ``=`` in ``--model=path``.
    """
    words = [*command[1:], model]
    values = [word.partition("=")[2] if word.startswith("-") else word for word in words]
    paths = {value: folder / Path(value).expanduser() for value in values if value}
    return {value: path for value, path in paths.items() if _exists(path) and path != folder}


def identity_of(files: Iterable[Path]) -> str:
    """Return name and fingerprint of each: equal files have equal ones, wherever they are."""
    return " ".join(
        f"{path.name}:{folder_fingerprint(path) if path.is_dir() else file_fingerprint(path)}"
        for path in sorted(files)
    )


def without_folders(text: str, files: dict[str, Path]) -> str:
    """Return *text* with every path of *files* in it reduced to its name."""
    for value, path in sorted(files.items(), key=lambda item: -len(item[0])):
        text = text.replace(value, path.name)
    return text


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a word too long to be a path
        return False
