"""What is wrong with a value that a table does not take, in the words of TOML.

msgspec says it in JSON's words, names no allowed value and stops at the name of a table. So the
types are gone through once more, down to the very value, and say themselves what to write.
"""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Final, Literal, Union, get_args, get_origin

import msgspec

from pytest_llmbench.config.place import Place, unknown
from pytest_llmbench.errors import ConfigError

_SHOWN: Final = 160
_CAP: Final = 10**6
"""Bounds beyond it only keep numbers from overflowing: they are named where they are broken."""

_NAMES: Final[Mapping[object, tuple[str, str]]] = {
    str: ("a text", "texts"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    dict: ("a table", "tables"),
    list: ("a list", "lists"),
    tuple: ("a list", "lists"),
}
_BOUNDS: Final = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}


def wrong_value(
    value: object, kind: object, place: Place, exc: msgspec.ValidationError
) -> ConfigError:
    """Return what is wrong with *value*, which is written at *place* and is no *kind*.

    Args:
        value: as it was read.
        kind: a type of those that msgspec knows.
        place: where it was read.
        exc: what msgspec said; its words are taken where the types do not tell (a check of an
            engine's own, say).
    """
    for part, inner, wanted in _parts(value, kind):
        if not _fits(inner, wanted):
            return wrong_value(inner, wanted, place / part, exc)
    table = next((option for option, _ in _options(kind) if _is_table(option)), None)
    if isinstance(value, Mapping) and table is not None:
        return _wrong_keys(value, table, place, exc)
    words = _wanted(value, kind)
    return place.error(words) if words else _told(place, exc)


def _wrong_keys(
    raw: Mapping[str, object], table: object, place: Place, exc: msgspec.ValidationError
) -> ConfigError:
    """Return which key of *raw* should not be there, or which is missing."""
    assert isinstance(table, type)
    assert issubclass(table, msgspec.Struct)
    fields = {field.encode_name: field for field in msgspec.structs.fields(table)}
    stranger = next((key for key in raw if key not in fields), None)
    if stranger is not None and table.__struct_config__.forbid_unknown_fields:
        return place.error(unknown(stranger, "key", fields))
    for name, field in fields.items():
        if field.required and name not in raw:
            return place.error(f"the key {name!r} is missing; write {name} = …")
    return _told(place, exc)


def _told(place: Place, exc: msgspec.ValidationError) -> ConfigError:
    problem = str(exc).partition(" - at `$")[0].replace("`", "'")
    return place.error(f"{problem[:1].lower()}{problem[1:]}")


def _wanted(value: object, kind: object) -> str:
    """Return what to write in place of *value*; nothing where *kind* has no words here."""
    if isinstance(value, str) and _fits(words := _words_of(value), kind):
        return f"write a list: {_written(words)}, found a text"
    told = [told for option, metas in _options(kind) for told in _choices(option, metas, value)]
    if not told:
        return ""
    found = _written(value)
    found = f"{found[:_SHOWN]}…" if len(found) > _SHOWN else found
    return f"write {_either(told)}{_hint(value, kind)}, found {found}"


def _words_of(text: str) -> list[str]:
    try:
        return shlex.split(text) or [text]
    except ValueError:  # a quote that does not end
        return [text]


def _choices(kind: object, metas: Iterable[msgspec.Meta], value: object) -> list[str]:
    """Return what one option of a type takes."""
    if kind is bool:
        return ["true", "false"]
    if get_origin(kind) is Literal:
        return [_written(item) for item in get_args(kind) if item is not None]
    if _is_table(kind):
        return [_NAMES[dict][0]]
    base = get_origin(kind) or kind
    if base not in _NAMES:
        return []
    if base in (list, tuple):
        return [_NAMES[base][0] + _of_what(kind)]
    told = " and ".join(bound for meta in metas for bound in _bounds(meta, value))
    return [f"{_NAMES[base][0]} {told}".rstrip()]


def _of_what(kind: object) -> str:
    """Return `` of texts``, say, for a list whose items are all of one kind."""
    items = {
        dict if _is_table(item) else get_origin(item) or item
        for argument in get_args(kind)
        if argument is not Ellipsis
        for item, _ in _options(argument)
    }
    item = items.pop() if len(items) == 1 else None
    return f" of {_NAMES[item][1]}" if item in _NAMES else ""


def _bounds(meta: msgspec.Meta, value: object) -> Iterator[str]:
    """Yield the bounds of a number; those of a text only where one was written."""
    for name, words in _BOUNDS.items():
        bound: float | None = getattr(meta, name)
        if bound is not None and (bound < _CAP or _is_above(value, bound)):
            yield f"{words} {bound:.10g}"
    if isinstance(value, str) and meta.min_length:
        yield "that is not empty" if meta.min_length == 1 else f"of {meta.min_length} characters"
    if isinstance(value, str) and meta.pattern is not None:
        yield f"that matches {meta.pattern}"


def _is_above(value: object, bound: float) -> bool:
    return isinstance(value, int | float) and value > bound


def _hint(value: object, kind: object) -> str:
    """Return the allowed text that is closest to *value*, as a question."""
    allowed = [
        item
        for option, _ in _options(kind)
        if get_origin(option) is Literal
        for item in get_args(option)
        if isinstance(item, str)
    ]
    close = difflib.get_close_matches(value, allowed, n=1) if isinstance(value, str) else []
    return f" (did you mean {_written(close[0])}?)" if close else ""


def _parts(value: object, kind: object) -> Iterator[tuple[str | int, object, object]]:
    """Yield the parts of *value* with the types that they should have, where it has the shape."""
    for option, _ in _options(kind):
        arguments = get_args(option)
        if isinstance(value, Mapping) and get_origin(option) is dict:
            yield from ((str(key), inner, arguments[1]) for key, inner in value.items())
        elif isinstance(value, Mapping) and _is_table(option):
            yield from _fields(value, option)
        elif isinstance(value, list | tuple) and _is_list(option):
            yield from ((number, inner, arguments[0]) for number, inner in enumerate(value, 1))


def _fields(
    value: Mapping[str, object], table: object
) -> Iterator[tuple[str | int, object, object]]:
    assert isinstance(table, type)
    for field in msgspec.structs.fields(table):
        if field.encode_name in value:
            yield field.encode_name, value[field.encode_name], field.type


def _is_list(kind: object) -> bool:
    """Whether *kind* is a list of any length, its items of one type."""
    origin, arguments = get_origin(kind), get_args(kind)
    return origin is list or (origin is tuple and arguments[-1] is Ellipsis)


def _is_table(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _options(
    kind: object, metas: tuple[msgspec.Meta, ...] = ()
) -> Iterator[tuple[object, tuple[msgspec.Meta, ...]]]:
    """Yield the types that *kind* is a union of, with what bounds each."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        told = tuple(item for item in arguments[1:] if isinstance(item, msgspec.Meta))
        yield from _options(arguments[0], (*metas, *told))
    elif origin in (Union, UnionType):
        for argument in arguments:
            yield from _options(argument, metas)
    elif kind is not type(None):
        yield kind, metas


def _fits(value: object, kind: object) -> bool:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def _either(words: list[str]) -> str:
    *most, last = dict.fromkeys(words)
    return f"{', '.join(most)} or {last}" if most else last


def _written(value: object) -> str:
    """Return *value* as TOML writes it."""
    if isinstance(value, Mapping):
        told = ", ".join(f"{key} = {_written(inner)}" for key, inner in value.items())
        return f"{{ {told} }}" if told else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)
