"""A project that is installed as a copy is told from one that is imported where it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_llmbench.probes.installed import copies


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one package."""
    root = tmp_path / "project"
    package(root / "src")
    (root / "pyproject.toml").write_text('[project]\nname = "Hare_and.tortoise"\n')
    return root


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages on the import path."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def package(folder: Path) -> None:
    (folder / "hare_and_tortoise").mkdir(parents=True)
    (folder / "hare_and_tortoise" / "__init__.py").touch()


def installed(folder: Path, files: str, *, name: str = "other", **origin: object) -> None:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files.split()))
    if origin:
        (info / "direct_url.json").write_text(json.dumps(origin))


INIT = "hare_and_tortoise/__init__.py ../../bin/race other-1.0.dist-info/RECORD"


def test_a_copy_is_told_by_where_it_is_from(root: Path, packages: Path) -> None:
    package(packages)
    installed(packages, INIT, url=root.as_uri(), dir_info={})
    assert copies(root) == {"other": packages}


def test_a_copy_of_a_built_wheel_too(root: Path, packages: Path) -> None:
    package(packages)
    installed(packages, INIT, url=(root / "dist" / "it.whl").as_uri(), archive_info={})
    assert copies(root) == {"other": packages}


def test_a_copy_is_told_by_its_name(root: Path, packages: Path) -> None:
    package(packages)
    installed(packages, INIT, name="hare-and-tortoise")
    assert copies(root) == {"hare-and-tortoise": packages}


def test_a_single_module_is_told(root: Path, packages: Path) -> None:
    (packages / "hare_alone.py").touch()
    installed(packages, "hare_alone.py", name="hare-and-tortoise")
    assert copies(root) == {"hare-and-tortoise": packages}


def test_in_place_is_no_copy(root: Path, packages: Path) -> None:
    package(packages)
    installed(packages, INIT, url=root.as_uri(), dir_info={"editable": True})
    assert copies(root) == {}


def test_the_import_path_wins_over_a_copy(
    root: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(packages)
    installed(packages, INIT, url=root.as_uri(), dir_info={})
    monkeypatch.syspath_prepend(str(root / "src"))
    assert copies(root) == {}


@pytest.mark.parametrize(
    "origin",
    [
        {},
        {"url": "file:///elsewhere", "dir_info": {}},
        {"url": "https://example.org/it.whl", "archive_info": {}},
    ],
)
def test_other_packages_are_none_of_the_project_s(
    root: Path, packages: Path, origin: dict[str, object]
) -> None:
    package(packages)
    installed(packages, INIT, **origin)
    assert copies(root) == {}


@pytest.mark.parametrize("text", ["", "[project]\n", "not toml", "[project]\nname = 1\n"])
def test_a_project_without_a_name(root: Path, packages: Path, text: str) -> None:
    package(packages)
    installed(packages, INIT, name="hare-and-tortoise")
    (root / "pyproject.toml").write_text(text)
    assert copies(root) == {}


def test_what_can_t_be_read_is_no_origin(root: Path, packages: Path) -> None:
    package(packages)
    installed(packages, INIT)
    (packages / "other-1.0.dist-info" / "direct_url.json").write_text("[]")
    assert copies(root) == {}
