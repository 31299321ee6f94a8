"""Installs a package of engines without pip: a module and what says that it is there."""

from __future__ import annotations

import os
from pathlib import Path


def install(folder: Path, name: str, entry_points: dict[str, str], **modules: str) -> None:
    """Put the distribution *name* into *folder*: the source of its modules, its engines."""
    folder.mkdir(parents=True, exist_ok=True)
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(source, encoding="utf-8")
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [f"{engine} = {value}" for engine, value in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[pytest_llmbench.engines]", *lines, ""]))


def search_path(folder: Path) -> str:
    """PYTHONPATH with *folder* in front: workers have it from their session."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
