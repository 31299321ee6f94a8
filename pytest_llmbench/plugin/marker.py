"""``@pytest.mark.llmbench(...)``: which cases a test is for.

PYTEST_DONT_REWRITE: nothing here asserts, and rewriting would cost every pytest run.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MarkerArguments:
    """What the marker takes; ``None`` keeps what the suite says.

    Attributes:
        suite: a suite's name, or a list of names; all suites where not given.
        variants: globs of variants, all where not given.
        prompts: globs of prompt ids, all where not given.
        max_new_tokens, temperature, seed: one value, or a list to sweep over.
        length: ``natural`` or ``fixed``.
        rounds, warmup, max_time_s: sampling.
        limits: ``{"ttft_s": "<= 0.5"}``, narrower than those of the configuration.
        tolerance: ``{"ttft_s": "5%"}``, likewise.
    """

    suite: str | Sequence[str] | None = None
    variants: str | Sequence[str] | None = None
    prompts: str | Sequence[str] | None = None
    max_new_tokens: int | Sequence[int] | None = None
    temperature: float | Sequence[float] | None = None
    seed: int | Sequence[int] | None = None
    length: str | None = None
    rounds: int | None = None
    warmup: int | str | None = None
    max_time_s: float | None = None
    limits: Mapping[str, str] | None = None
    tolerance: Mapping[str, str | float] | None = None


ALLOWED = tuple(field.name for field in dataclasses.fields(MarkerArguments))
MARKER = (
    f"llmbench({', '.join(f'{name}=…' for name in ALLOWED)}): "
    "which cases of pytest-llmbench a test is for"
)


def marker_arguments(node: pytest.Item) -> MarkerArguments:
    """Return what the markers of *node* say together, the closest one first.

    Raises:
        pytest.Collector.CollectError: an unknown argument (the allowed ones are named), or a
            positional one.
    """
    merged: dict[str, object] = {}
    for mark in node.iter_markers("llmbench"):
        _check(mark, node.name)
        merged = {**mark.kwargs, **merged}
    return MarkerArguments(**merged)  # type: ignore[arg-type]  # values are checked where used


def as_tuple(value: object) -> tuple[Any, ...]:
    """Return one value or a list of them as a tuple; nothing as the empty one."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple, set, frozenset)) else (value,)


def _check(mark: pytest.Mark, where: str) -> None:
    if mark.args:
        raise pytest.Collector.CollectError(
            f"{where}: the marker llmbench takes named arguments only, found {mark.args[0]!r}; "
            f"write for instance suite={mark.args[0]!r} (allowed: {', '.join(ALLOWED)})"
        )
    for name in mark.kwargs:
        if name not in ALLOWED:
            close = difflib.get_close_matches(name, ALLOWED, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise pytest.Collector.CollectError(
                f"{where}: the marker llmbench has no argument {name!r} "
                f"({hint}allowed: {', '.join(ALLOWED)})"
            )
