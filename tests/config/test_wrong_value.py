"""What is said of a value that a table does not take: in TOML's words, with what to write."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from pytest_llmbench.config.place import Place
from pytest_llmbench.config.tables import decode
from pytest_llmbench.errors import ConfigError


class Turn(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["system", "user"]
    content: str


class Keys(msgspec.Struct, forbid_unknown_fields=True):
    kind: Literal["mlx-4bit", "mlx-8bit"] | None = None
    size: Literal[32, 64] = 32
    warmup: Annotated[int, Meta(ge=0)] | Literal["auto"] | None = None
    think: bool | Literal["low", "high"] | None = None
    serve: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    sweep: Annotated[int, Meta(ge=1, le=2**31 - 1)] | tuple[Annotated[int, Meta(ge=1)], ...] = 1
    share: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    name: Annotated[str, Meta(min_length=1)] = "a"
    path: Annotated[str, Meta(pattern="^/")] = "/"
    switch: bool = False
    headers: dict[str, str] = {}
    turns: list[Turn] = []
    mixed: dict[str, bool | float | str | list[str]] = {}
    pair: tuple[int, str] = (1, "a")

    def __post_init__(self) -> None:
        if self.share == 0.5:
            raise ValueError("Half of `it` is none")


WRONG: list[tuple[dict[str, object], str]] = [
    ({"kind": "mlx-4bits"}, 'kind: write "mlx-4bit" or "mlx-8bit" (did you mean "mlx-4bit"?), found "mlx-4bits"'),
    ({"kind": "q4_k_m"}, 'kind: write "mlx-4bit" or "mlx-8bit", found "q4_k_m"'),
    ({"kind": 4}, 'kind: write "mlx-4bit" or "mlx-8bit", found 4'),
    ({"size": 48}, "size: write 32 or 64, found 48"),
    ({"size": "48"}, 'size: write 32 or 64, found "48"'),
    ({"warmup": "atuo"}, 'warmup: write a whole number of at least 0 or "auto" (did you mean "auto"?), found "atuo"'),
    ({"warmup": -1}, 'warmup: write a whole number of at least 0 or "auto", found -1'),
    ({"warmup": 1.5}, 'warmup: write a whole number of at least 0 or "auto", found 1.5'),
    ({"think": "hihg"}, 'think: write true, false, "low" or "high" (did you mean "high"?), found "hihg"'),
    ({"think": 1}, 'think: write true, false, "low" or "high", found 1'),
    ({"serve": "run --port '{port}'"}, 'serve: write a list: ["run", "--port", "{port}"], found a text'),
    ({"serve": "it's"}, 'serve: write a list: ["it\'s"], found a text'),
    ({"serve": 3}, "serve: write a list of texts, found 3"),
    ({"serve": ["a", 3]}, "serve[2]: write a text, found 3"),
    ({"counts": "1 2"}, 'counts: write a list of whole numbers, found "1 2"'),
    ({"sweep": 0}, "sweep: write a whole number of at least 1 or a list of whole numbers, found 0"),
    ({"sweep": [4, 0]}, "sweep[2]: write a whole number of at least 1, found 0"),
    ({"sweep": 2**31}, "sweep: write a whole number of at least 1 and of at most 2147483647 or a list of whole numbers, found 2147483648"),
    ({"share": 0}, "share: write a number above 0 and of at most 1, found 0"),
    ({"share": float("nan")}, "share: write a number above 0 and of at most 1, found nan"),
    ({"share": 10**400}, f"share: write a number above 0 and of at most 1, found 1{'0' * 159}…"),
    ({"name": ""}, 'name: write a text that is not empty, found ""'),
    ({"path": "v1"}, 'path: write a text that matches ^/, found "v1"'),
    ({"path": 1}, "path: write a text, found 1"),
    ({"switch": "true"}, 'switch: write true or false, found "true"'),
    ({"switch": datetime.date(2020, 1, 1)}, "switch: write true or false, found 2020-01-01"),
    ({"headers": ["a"]}, 'headers: write a table, found ["a"]'),
    ({"headers": {"a": "b", "c": {"d": True}}}, "headers.c: write a text, found { d = true }"),
    ({"turns": "hello"}, 'turns: write a list of tables, found "hello"'),
    ({"turns": [{"role": "user", "content": "x"}, {"role": "usr", "content": "x"}]}, 'turns[2].role: write "system" or "user" (did you mean "user"?), found "usr"'),
    ({"turns": [{"role": "user"}]}, "turns[1]: the key 'content' is missing; write content = …"),
    ({"turns": [{"role": "user", "content": "x", "rôle": 1}]}, "turns[1]: unknown key 'rôle' (did you mean 'role'? allowed: role, content)"),
    ({"mixed": {"a": {}}}, "mixed.a: write true, false, a number, a text or a list of texts, found {}"),
    ({"pair": ["a", 1]}, 'pair: write a list, found ["a", 1]'),
    ({"share": 0.5}, "half of 'it' is none"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "message"), WRONG)
def test_what_to_write_is_said(raw: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        decode(raw, Keys, Place("file"))
    assert str(caught.value) == f"file: {message}"


def test_what_is_right_is_taken() -> None:
    right = {"kind": "mlx-8bit", "warmup": "auto", "serve": ["a"], "sweep": [1], "share": 1}
    assert decode(right, Keys, Place("file")).serve == ("a",)


def test_words_of_msgspec_are_taken_where_there_are_no_others() -> None:
    class Odd(msgspec.Struct):
        when: datetime.date

    with pytest.raises(ConfigError, match=r"^file: when: expected 'date', got 'int'$"):
        decode({"when": 3}, Odd, Place("file"))
