"""Do both sides of a worker understand each other? Versions may differ where the messages agree."""

from __future__ import annotations

import functools
import hashlib
import inspect
import typing
from collections.abc import Iterable, Iterator

import msgspec

from pytest_llmbench.worker import messages as say


@functools.cache
def protocol() -> str:
    """Return 12 hex digits of all messages, and of the facts in them: names, fields, types."""
    spoken = typing.get_args(say.Request | say.Reply | say.Errand)
    every = _reached((*spoken, say.Keeping, say.Told))
    text = "\n".join(sorted(map(_described, every)))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _reached(structs: Iterable[type[msgspec.Struct]]) -> set[type[msgspec.Struct]]:
    """Return *structs* and those that their fields hold."""
    reached: set[type[msgspec.Struct]] = set()
    due = list(structs)
    while due:
        struct = due.pop()
        if struct not in reached:
            reached.add(struct)
            due += [one for hint in typing.get_type_hints(struct).values() for one in _in(hint)]
    return reached


def _in(hint: object) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs that the type *hint* names."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        yield hint
    for part in typing.get_args(hint):
        yield from _in(part)


def _described(struct: type[msgspec.Struct]) -> str:
    """Return the struct's name and fields, as they are written: the same under every Python."""
    fields = {
        name: written
        for base in reversed(struct.__mro__)
        for name, written in inspect.get_annotations(base).items()
        if name in struct.__struct_fields__
    }
    return f"{struct.__name__}({', '.join(f'{name}: {text}' for name, text in fields.items())})"
