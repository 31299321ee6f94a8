"""Recorded sessions, and slowdowns planted in them on purpose."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from neighbours import CONDITIONS

HERE = Path(__file__).parent
RECORDINGS = HERE / "recordings"
SIDE_BY_SIDE = RECORDINGS / "side-by-side"
"""Of variants that took turns with twins of themselves."""

METRICS = ("itl_s", "ttft_s")
"""What is judged of every round: its median gap between tokens, its time to the first token."""

TIMES = ("ttft_s", "itl_s", "latency_s")
"""The fields that a slower engine makes longer."""

LAUNCH = "launch"
"""The field that numbers the launches of a session that has several."""

EVERY = "*"
"""In place of a prompt: the whole variant is accused."""


TWIN = "@twin"


def twin_of(variant: str) -> str:
    """Return the name of what *variant* is held against side by side."""
    return variant + TWIN


class Cell(NamedTuple):
    """What is accused or not: one metric of one variant under one prompt, or under all."""

    variant: str
    prompt: str
    metric: str


class Recorded(msgspec.Struct, frozen=True):
    """A line of a recording: what record.py writes."""

    fields: tuple[str, ...]
    reference: str | None
    rounds: dict[str, dict[str, tuple[tuple[float, ...], ...]]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """One launch of every variant, or several.

    Attributes:
        reference: the variant that the others' ratios are to; ``None`` beside twins.
        figures: what each round showed, in the rounds' order, by variant, prompt and field.
    """

    reference: str | None
    figures: Mapping[tuple[str, str, str], tuple[float, ...]]

    @functools.cached_property
    def cells(self) -> tuple[Cell, ...]:
        """What can be accused, in the recording's order: all but twins."""
        return tuple(
            Cell(*key) for key in self.figures if key[2] in METRICS and not key[0].endswith(TWIN)
        )

    @functools.cached_property
    def other_side(self) -> Session:
        """The twins under the names of what is held against them; without any, empty."""
        return self.with_figures(
            {
                (variant.removesuffix(TWIN), prompt, field): column
                for (variant, prompt, field), column in self.figures.items()
                if variant.endswith(TWIN)
            }
        )

    def with_figures(self, figures: Mapping[tuple[str, str, str], tuple[float, ...]]) -> Session:
        """Return this session with other figures."""
        return dataclasses.replace(self, figures=figures)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plant:
    """A slowdown on purpose: which variant, under which prompt (``None``: all), by what share."""

    variant: str
    prompt: str | None
    slowdown: float

    def hits(self, variant: str, prompt: str) -> bool:
        """Return whether the rounds of *variant* under *prompt* are slower."""
        return variant == self.variant and self.prompt in (None, prompt)


def recordings(*folders: Path) -> dict[str, tuple[Session, ...]]:
    """Return the sessions recorded in all *folders* by condition, the quiet ones first.

    Raises:
        ValueError: nothing is recorded in one of them, a line is not a session, or sessions of one
            condition don't fit together.
    """
    found: dict[str, tuple[Session, ...]] = {}
    for folder in folders:
        files = sorted(folder.glob("*.jsonl"))
        if not files:
            raise ValueError(
                f"nothing is recorded in {folder}; type: python {HERE / 'record.py'} quiet 14"
            )
        for file in files:
            sessions = (*found.get(file.stem, ()), *_sessions(file))
            if not sessions:
                raise ValueError(f"{file} holds no session; delete it")
            _check_alike(sessions, file)
            found[file.stem] = sessions
    order = {condition: place for place, condition in enumerate(CONDITIONS)}
    return {name: found[name] for name in sorted(found, key=lambda n: order.get(n, len(order)))}


def _check_alike(sessions: Sequence[Session], file: Path) -> None:
    """Raise ``ValueError`` where the sessions, the last ones of *file*, are of different things."""
    first = sessions[0]
    for session in sessions:
        if session.reference != first.reference or session.figures.keys() != first.figures.keys():
            raise ValueError(
                f"{file}: not all sessions have the variants {_listed(_variants(first))}, these "
                f"prompts and the reference {first.reference!r}; give --recordings folders that do"
            )


def _variants(session: Session) -> set[str]:
    return {variant.removesuffix(TWIN) for variant, _, _ in session.figures}


def _sessions(file: Path) -> Iterator[Session]:
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            yield session_of(msgspec.json.decode(line, type=Recorded))
        except (msgspec.DecodeError, ValueError) as exc:
            raise ValueError(f"{file}:{number} is not a whole session; delete that line") from exc


def session_of(recorded: Recorded) -> Session:
    """Return the session of one line; every round must have a figure for every field."""
    return Session(
        reference=recorded.reference,
        figures={
            (variant, prompt, field): tuple(column)
            for variant, prompts in recorded.rounds.items()
            for prompt, rounds in prompts.items()
            for field, column in zip(recorded.fields, zip(*rounds, strict=True), strict=True)
        },
    )


def among(session: Session, variants: Sequence[str] | None, reference: str | None) -> Session:
    """Return *session* with some of its variants, their ratios to *reference*.

    Args:
        session: a recorded one.
        variants: those that are kept, with their twins; ``None``: all.
        reference: one of them; ``None``: as recorded.

    Raises:
        ValueError: a variant was not recorded, or the reference is not among them.
    """
    known = _variants(session)
    kept = set(variants or known)
    to = reference or session.reference
    if kept - known:
        raise ValueError(
            f"no variant {_listed(kept - known)!r} was recorded; write one of: {_listed(known)}"
        )
    if to is not None and to not in kept:
        raise ValueError(
            f"the reference {to!r} is not among the variants; --reference names another: "
            f"{_listed(kept)}"
        )
    figures = {key: c for key, c in session.figures.items() if key[0].removesuffix(TWIN) in kept}
    return dataclasses.replace(session, reference=to, figures=figures)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def together(launches: Sequence[Session]) -> Session:
    """Return one session of so many recorded ones, as if each had been a launch of it."""
    if len(launches) == 1:
        return launches[0]
    figures: dict[tuple[str, str, str], tuple[float, ...]] = {}
    for number, each in enumerate(launches):
        for (variant, prompt, field), column in each.figures.items():
            figures[variant, prompt, field] = figures.get((variant, prompt, field), ()) + column
            if field == METRICS[0]:
                key = variant, prompt, LAUNCH
                figures[key] = figures.get(key, ()) + (number,) * len(column)
    return launches[0].with_figures(figures)


def slowed(session: Session, plant: Plant) -> Session:
    """Return *session* with all times that *plant* hits longer by its share."""
    return session.with_figures(
        {
            (variant, prompt, field): tuple(figure * (1 + plant.slowdown) for figure in column)
            if field in TIMES and plant.hits(variant, prompt)
            else column
            for (variant, prompt, field), column in session.figures.items()
        }
    )
