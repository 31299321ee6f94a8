"""Which commit a folder is at."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

_SHORT: Final = 10


def git_commit(folder: Path, *, timeout_s: float = 2.0) -> str | None:
    """Return the abbreviated commit of *folder*, ``+dirty`` after it when tracked files changed.

    ``None`` without git, without a repository or a commit, or when git takes longer than
    *timeout_s* seconds. Nothing is written: git is told not to refresh its index.
    """
    status = _git_status(folder, timeout_s)
    if status is None:
        return None
    lines = status.splitlines()
    commit = next((line.split()[2] for line in lines if line.startswith("# branch.oid ")), None)
    if commit is None or commit == "(initial)":
        return None
    dirty = any(line and not line.startswith("#") for line in lines)
    return f"{commit[:_SHORT]}{'+dirty' if dirty else ''}"


def _git_status(folder: Path, timeout_s: float) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - git itself, no shell, fixed arguments
            [git, "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout
