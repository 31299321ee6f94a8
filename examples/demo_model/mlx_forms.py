"""Not written yet."""

from pathlib import Path


def build(name: str, model: Path, target: Path) -> None:
    raise NotImplementedError
