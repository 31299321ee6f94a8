"""The configuration that a command speaks of: the one named, or the one found here."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final

from pytest_llmbench.config import Config, find_config, load_config
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError

TO_BEGIN: Final = "to begin, type: llmbench show --example > llmbench.toml"


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A configuration, and how messages call its file."""

    config: Config
    shown: str


def look_for_config(asked: Path | None) -> Found | None:
    """Return the configuration at *asked*, else the one in this folder; ``None`` without one.

    Raises:
        ConfigError: it is wrong, or *asked* is no file.
    """
    path = config_path(asked)
    if path is None:
        return None
    shown = as_typed(path)
    return Found(load_config(path, engine_options(), shown=shown), shown)


def need_config(asked: Path | None, why: str) -> Found:
    """Return the configuration; *why* it is needed is the start of the error without one."""
    found = look_for_config(asked)
    if found is None:
        raise ConfigError(
            f"{why}, but there is no llmbench.toml here and no [tool.llmbench] in a "
            f"pyproject.toml; name one with --config=PATH, or {TO_BEGIN}"
        )
    return found


def config_path(asked: Path | None) -> Path | None:
    """Return the file of the configuration; ``None`` where none was asked for or found."""
    if asked is None:
        return find_config(Path.cwd())
    if not asked.is_file():
        what = "is a folder" if asked.is_dir() else "does not exist"
        raise ConfigError(f"--config={asked}: it {what}; name a file such as llmbench.toml")
    return asked


def baselines_folder(asked: Path | None, found: Found | None) -> Path:
    """Return where baselines live: *asked*, else ``baselines`` beside the configuration."""
    if asked is not None:
        return asked
    return (found.config.source.parent if found else Path.cwd()) / "baselines"


def as_typed(path: Path) -> str:
    """Return *path* as a user would type it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
