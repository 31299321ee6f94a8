"""The model's files, where the command that starts a server names them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Final

from pytest_llmbench.domain.secret import without_secrets
from pytest_llmbench.engines.fingerprint import file_fingerprint, folder_fingerprint
from pytest_llmbench.engines.model_files import CONFIG_FILE, located

_OF_MODELS: Final = (".gguf", ".safetensors", ".bin", ".pt", ".npz", ".jinja")
"""Ends of files that change what a server says; a log or a cache does not."""


def named_files(command: tuple[str, ...], model: str, folder: Path) -> dict[str, Path]:
    """Return a model's files and folders here that the *command*'s arguments or *model* name.

    The key is the word that names it: a path, or what follows ``=`` in ``--model=path``.
    """
    words = [*command[1:], model]
    values = [word.partition("=")[2] if word.startswith("-") else word for word in words]
    paths = {value: located(value, folder) for value in values if value}
    return {value: path for value, path in paths.items() if _is_of_a_model(path)}


def identity_of(files: Iterable[Path]) -> str:
    """Return name and fingerprint of each: equal files have equal ones, wherever they are."""
    return " ".join(
        sorted(
            f"{path.name}:{folder_fingerprint(path) if path.is_dir() else file_fingerprint(path)}"
            for path in set(files)
        )
    )


def command_shown(command: tuple[str, ...]) -> str:
    """Return *command* as it may be kept: no folders, no secrets."""
    words = without_secrets(command)
    assert isinstance(words, tuple), "a tuple stays one"
    return " ".join(_without_folder(word) for word in words)


def without_folder(name: str, files: dict[str, Path]) -> str:
    """Return the model's *name*; of one that is a path here, the last part."""
    return files[name].name if name in files else name


def _without_folder(word: str) -> str:
    option, equals, value = word.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={_without_folder(value)}"
    return PurePath(word).name if "/" in word and "://" not in word else word


def _is_of_a_model(path: Path) -> bool:
    try:
        if path.is_dir():
            return (path / CONFIG_FILE).is_file()
        return path.suffix in _OF_MODELS and path.is_file()
    except OSError:  # a word too long to be a path
        return False
