"""Where a model's files are and what they are, told without any engine's library.

A name in the configuration is a path, from the configuration's folder or the home folder, or the
name of a model on the hub, whose files are in the hub's cache once they were fetched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

CONFIG_FILE: Final = "config.json"
"""What describes a model, in Hugging Face's folders and in MLX's."""

ADAPTER_FILE: Final = "adapter_config.json"
"""What describes an adapter, in peft's folders and in mlx-lm's."""

GGUF: Final = b"GGUF"
"""What a GGUF file begins with."""


def located(name: str, base_dir: Path) -> Path:
    """Return *name* as a path: from *base_dir*, or the home folder where it starts with ``~``."""
    return base_dir / Path(name).expanduser()


def is_path(name: str, base_dir: Path) -> bool:
    """Whether *name* is there as a path, or can't be a hub name (``name`` or ``owner/name``)."""
    parts = Path(name).parts
    owner_is_folder = len(parts) > 1 and (base_dir / parts[0]).is_dir()
    ends = name.startswith((".", "/", "~")) or name.endswith("/")
    return ends or len(parts) > 2 or owner_is_folder or located(name, base_dir).exists()


def model_folder(name: str, revision: str | None, base_dir: Path) -> Path | None:
    """Return the folder of *name*, here or in the hub's cache; ``None`` where there is none."""
    folder = located(name, base_dir)
    if folder.is_dir():
        return folder
    return None if is_path(name, base_dir) else hub_folder(name, revision)


def hub_folder(
    name: str, revision: str | None, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """Return the folder of the hub's model *name* in the local cache; ``None`` if it has none.

    Where the cache is, and how it is laid out, is as in huggingface_hub 2.4.
    """
    repository = _hub_cache(environment) / f"models--{name.replace('/', '--')}"
    wanted = revision or "main"
    try:
        commit = (repository / "refs" / wanted).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        commit = wanted
    folder = repository / "snapshots" / commit
    return folder if folder.is_dir() else None


def described(folder: Path) -> dict[str, Any]:
    """Return the ``config.json`` of a model's *folder*; an empty table if there is none."""
    return read_object(folder / CONFIG_FILE)


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in *path*; an empty one where there is none, or something else.

    What is wrong with a file is said when it is loaded.
    """
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def beginning(path: Path) -> bytes:
    """Return as many bytes of the file *path* as tell whether it is a GGUF file.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        return file.read(len(GGUF))


def is_gguf(path: Path) -> bool:
    """Whether *path* begins as a GGUF file; what can't be read is none."""
    try:
        return beginning(path) == GGUF
    except OSError:
        return False


def _hub_cache(environment: Mapping[str, str]) -> Path:
    home = environment.get("XDG_CACHE_HOME", "~/.cache") + "/huggingface"
    fallback = environment.get("HF_HOME", home) + "/hub"
    older = environment.get("HUGGINGFACE_HUB_CACHE", fallback)
    told = environment.get("HF_HUB_CACHE", older)
    return Path(os.path.expandvars(told)).expanduser()
