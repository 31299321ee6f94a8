"""What the configuration says of judging answers: meanings compared, a model's code run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from pytest_llmbench.config.place import Place
from pytest_llmbench.config.tables import CodeTable
from pytest_llmbench.domain.code_limits import CodeLimits
from pytest_llmbench.domain.similarity import Similarity
from pytest_llmbench.units import parse_amount

LEAST_MEMORY: Final = 64 * 2**20
"""Bytes that Python takes to start, and some."""


def code_limits(table: CodeTable | None, place: Place) -> CodeLimits | None:
    """Return what code of a model's may use up; ``None`` where nobody allows that it is run.

    Raises:
        ConfigError: the memory is no amount, or too little for Python itself.
    """
    if table is None:
        return None
    try:
        memory = int(parse_amount(table.memory, "B"))
    except ValueError as exc:
        raise (place / "memory").error(str(exc)) from exc
    if memory < LEAST_MEMORY:
        raise (place / "memory").error(
            f"{table.memory!r} is too little for Python itself; write 64 MiB or more"
        )
    return CodeLimits(time_s=table.time_s, memory_bytes=memory)


def check_similarity(asked: Similarity | None, place: Place) -> None:
    """Refuse what asks for similarity where it can't be measured: a limit would hold nothing.

    Raises:
        ConfigError: its library is not installed, or there is no such folder.
    """
    if asked is None:
        return
    if importlib.util.find_spec("sentence_transformers") is None:
        raise place.error(
            "similarity is asked for by this table, a limit or a tolerance, but "
            "sentence-transformers is not installed; type: pip install "
            "'pytest-llmbench[similarity]'"
        )
    if asked.model.startswith((".", "/", "~")) and not Path(asked.source).is_dir():
        raise (place / "model").error(
            f"there is no folder {asked.base_dir / asked.model}; correct the path, or write a name "
            "on the hub"
        )
