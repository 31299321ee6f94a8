"""Where a variant runs: the keys ``python`` and ``host``, read and checked.

On another host nothing can be checked from here: neither its interpreter nor the paths of the
engine's keys, which are of that machine.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from pytest_llmbench.config.place import Place
from pytest_llmbench.config.tables import SSH_HOST, VariantTable
from pytest_llmbench.domain.variant import Variant


def interpreter(table: VariantTable, base_dir: Path) -> str | None:
    """Return the interpreter of ``python``: a path from *base_dir* on, or a name for ``PATH``.

    What is for another host stays as it is written.
    """
    if table.python is None or table.host is not None or not _is_path(table.python):
        return table.python
    # Not resolved: a virtual environment's interpreter is a link, and known by its own place.
    return str(base_dir.absolute() / Path(table.python).expanduser())


def check_host(host: object, place: Place) -> None:
    """Refuse a ``host`` that is none, with what to write; another type is refused elsewhere."""
    if isinstance(host, str) and not re.fullmatch(SSH_HOST, host):
        raise place.error(f'{host!r} is no host; write host = "ssh=NAME", as you type ssh NAME')
    if isinstance(host, str) and re.search(r"//\w+=", host):
        raise place.error(
            f"{host!r} holds more than words for ssh; write the interpreter there beside it: "
            'python = "~/venv/bin/python"'
        )


def check_python(variant: Variant, place: Place) -> None:
    """Refuse an interpreter that is not on this machine, for a variant that runs here.

    Raises:
        ConfigError: it does not exist or can't be run; names what may have been meant.
    """
    python = variant.python
    if python is None or variant.host is not None or shutil.which(python) is not None:
        return
    if not _is_path(python):
        raise place.error(f"there is no program {python!r} on PATH; correct it, or write its path")
    path = Path(python)
    if path.is_dir():
        raise place.error(f"{path} is a folder; write its interpreter{_inside(path)}")
    found = "can't be run as a program" if path.exists() else "does not exist"
    raise place.error(f"the interpreter {path} {found}; correct the path")


def _is_path(python: str) -> bool:
    return "/" in python or os.sep in python or python.startswith("~")


def _inside(folder: Path) -> str:
    """Return the interpreter of a virtual environment, as the end of a sentence."""
    likely = (folder / "bin" / "python", folder / "Scripts" / "python.exe")
    return next((f": {path}" for path in likely if path.exists()), ", such as .venv/bin/python")
