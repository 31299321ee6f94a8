"""The messages' fingerprint tells whether two versions understand each other."""

from __future__ import annotations

import re
import subprocess
import sys

import msgspec
import pytest

from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.worker import messages as say
from pytest_llmbench.worker.protocol import _described, _reached, protocol


def test_it_is_the_same_in_every_process() -> None:
    code = "from pytest_llmbench.worker.protocol import protocol; print(protocol())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == protocol()
    assert re.fullmatch("[0-9a-f]{12}", protocol())


def test_it_knows_what_messages_are_made_of() -> None:
    assert {say.Loaded, ModelFacts} <= _reached([say.Loaded])
    assert Message in _reached([say.Generate])


class One(msgspec.Struct):
    number: int


class Other(One):
    text: str | None


def test_a_struct_is_its_fields_inherited_ones_first() -> None:
    assert _described(Other) == "Other(number: int, text: str | None)"


@pytest.mark.parametrize(
    "fields", [[("a", int)], [("a", str), ("b", int)], [("b", str)]], ids=["type", "more", "name"]
)
def test_any_change_of_a_field_is_another(fields: list[tuple[str, type]]) -> None:
    before = msgspec.defstruct("Same", [("a", str)])
    assert _described(msgspec.defstruct("Same", fields)) != _described(before)
