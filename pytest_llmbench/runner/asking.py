"""Asking a loaded variant something that is not timed, where no answer costs that alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pytest_llmbench.errors import EngineError, LlmbenchError, OtherTokensError, WorkerError
from pytest_llmbench.runner.lives import Lives
from pytest_llmbench.worker import Worker

T = TypeVar("T")


def asked(
    lives: Lives, variant: str, question: Callable[[Worker], T | None]
) -> tuple[T | None, str | None]:
    """Return the answer of *variant*, or why there is none.

    A worker that is lost over it is buried, as it would be over a round. The answer ``None`` is
    that of an engine which can't tell.

    Raises:
        OtherTokensError: what was given has other tokens there.
    """
    try:
        live = lives.ready(variant)
    except LlmbenchError as exc:
        return None, str(exc)
    with lives.watching():
        lives.focus(live)
        try:
            found = question(live.worker)
        except OtherTokensError:
            raise
        except WorkerError as exc:
            lives.bury(variant, exc)
            return None, str(exc)
        except EngineError as exc:
            return None, str(exc)
    silent = f"the engine of {variant} does not tell probabilities"
    return found, silent if found is None else None
