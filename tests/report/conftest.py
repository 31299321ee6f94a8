"""Whole reports as goldens: text files beside the tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture
def golden():
    """Compare with goldens/NAME.txt; LLMBENCH_UPDATE_GOLDENS=1 rewrites it instead."""

    def check(name, text):
        path = GOLDENS / f"{name}.txt"
        if os.environ.get("LLMBENCH_UPDATE_GOLDENS"):
            path.write_text(f"{text}\n", encoding="utf-8")
        assert f"{text}\n" == path.read_text(encoding="utf-8")

    return check
