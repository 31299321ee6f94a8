"""The package's public names are exactly what it says they are."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

import pytest_llmbench
import pytest_llmbench.engines
import pytest_llmbench.testing

MODULES = [pytest_llmbench, pytest_llmbench.engines, pytest_llmbench.testing]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_all_is_sorted_and_there(module: object) -> None:
    names = module.__all__  # type: ignore[attr-defined]
    assert list(names) == sorted(names)
    for name in names:
        assert getattr(module, name).__doc__


def test_dir_shows_the_public_names_only() -> None:
    assert dir(pytest_llmbench) == sorted(pytest_llmbench.__all__)
    assert dir(pytest_llmbench.testing) == sorted(pytest_llmbench.testing.__all__)


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pytest_llmbench.nothing  # noqa: B018 — reading it is the test
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        pytest_llmbench.testing.nothing  # noqa: B018 — as above


def test_what_an_engine_is_written_with_is_in_one_place() -> None:
    """Every name in the signatures of the protocol, and the errors that it speaks of."""
    from pytest_llmbench.engines import protocol

    text = Path(protocol.__file__).read_text("utf-8")
    used = set(re.findall(r"\b[A-Z]\w+(?=\b)", text.partition("class Engine(")[2]))
    public = set(pytest_llmbench.engines.__all__)
    needed = {"Encoded", "Generation", "Message", "ModelFacts", "Parameters", "ReportedMemory"}
    needed |= {"CaseError", "EngineNotInstalledError", "LoadError", "Stamps", "Survey"}
    assert needed <= used
    assert needed | {"EngineEntry", "EngineKeys", "EngineTimings", "Served"} <= public


def test_the_plugin_is_registered_by_its_entry_point() -> None:
    found = metadata.distribution("pytest-llmbench").entry_points
    assert {(e.group, e.name, e.value) for e in found} == {
        ("pytest11", "llmbench", "pytest_llmbench.plugin"),
        ("console_scripts", "llmbench", "pytest_llmbench.cli:main"),
    }


def test_every_extra_of_the_registry_exists() -> None:
    from pytest_llmbench.engines.registry import BUILT_IN

    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    extras = set(
        re.findall(r"^([\w-]+) = \[\"", text.partition("optional-dependencies")[2], re.MULTILINE)
    )
    lines = {entry.install for entry in BUILT_IN.values() if entry.install}
    assert lines <= {f"pip install 'pytest-llmbench[{extra}]'" for extra in extras}
