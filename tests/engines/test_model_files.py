"""Where a model's files are and what they are: both sides of every question, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_llmbench.engines.model_files import (
    beginning,
    described,
    hub_folder,
    is_gguf,
    is_path,
    located,
    model_folder,
    read_object,
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    folder = tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    return folder


def cached(hub: Path, name: str, commit: str = "abc") -> Path:
    """A model in the hub's cache, whose branch ``main`` is at *commit*."""
    repository = hub / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(f"{commit}\n")
    folder = repository / "snapshots" / commit
    folder.mkdir(parents=True)
    return folder


def test_a_relative_name_starts_from_the_folder_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert located("a/b", tmp_path) == tmp_path / "a" / "b"
    assert located("/x/y", tmp_path) == Path("/x/y")
    assert located("~/m", tmp_path) == Path("/home/me/m")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("name", False),
        ("owner/name", False),
        ("./name", True),
        ("~/name", True),
        ("/name", True),
        ("name/", True),
        ("a/b/c", True),
        ("there", True),
        ("there/none", True),
        ("file.gguf", True),
        ("none.gguf", False),
    ],
)
def test_what_can_be_a_hub_name_is_no_path(tmp_path: Path, name: str, path: bool) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file.gguf").touch()
    assert is_path(name, tmp_path) is path


def test_a_folder_here_comes_before_the_hub(tmp_path: Path, hub: Path) -> None:
    assert model_folder("owner/name", None, tmp_path) is None
    fetched = cached(hub, "owner/name")
    assert model_folder("owner/name", None, tmp_path) == fetched
    here = tmp_path / "owner" / "name"
    here.mkdir(parents=True)
    assert model_folder("owner/name", None, tmp_path) == here


def test_a_path_is_not_looked_up_on_the_hub(tmp_path: Path, hub: Path) -> None:
    cached(hub, "./name")
    (tmp_path / "file").touch()
    assert model_folder("./name", None, tmp_path) is None
    assert model_folder("file", None, tmp_path) is None


def test_a_revision_is_a_branch_or_a_commit(hub: Path) -> None:
    fetched = cached(hub, "owner/name", "abc")
    assert hub_folder("owner/name", None) == fetched
    assert hub_folder("owner/name", "main") == fetched
    assert hub_folder("owner/name", "abc") == fetched
    assert hub_folder("owner/name", "def") is None
    assert hub_folder("owner/other", None) is None


@pytest.mark.parametrize(
    ("variables", "where"),
    [
        ({}, "/home/me/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"HF_HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/h/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/h"}, "/old"),
        ({"HF_HUB_CACHE": "/new", "HUGGINGFACE_HUB_CACHE": "/old"}, "/new"),
    ],
)
def test_the_cache_is_where_huggingface_hub_has_it(
    variables: dict[str, str], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(Path, "is_dir", lambda path: seen.append(path) or False)
    monkeypatch.setenv("HOME", "/home/me")
    assert hub_folder("a/b", "main", variables) is None
    assert seen == [Path(where, "models--a--b", "snapshots", "main")]


@pytest.mark.parametrize(
    ("written", "read"),
    [(b'{"a": 1}', {"a": 1}), (b"[1]", {}), (b"{", {}), (b"\xff\xfe\xff", {}), (None, {})],
)
def test_what_is_no_object_says_nothing(
    tmp_path: Path, written: bytes | None, read: dict[str, int]
) -> None:
    if written is not None:
        (tmp_path / "config.json").write_bytes(written)
    assert read_object(tmp_path / "config.json") == read
    assert described(tmp_path) == read


def test_a_description_in_any_language(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"ä": "語"}, ensure_ascii=False), "utf-8")
    assert described(tmp_path) == {"ä": "語"}


@pytest.mark.parametrize(
    ("written", "is_one"), [(b"GGUF\3\0", True), (b"GGUF", True), (b"GGU", False), (b"", False)]
)
def test_a_gguf_file_is_known_by_its_beginning(
    tmp_path: Path, written: bytes, is_one: bool
) -> None:
    (tmp_path / "model").write_bytes(written)
    assert is_gguf(tmp_path / "model") is is_one
    assert beginning(tmp_path / "model") == written[:4]


def test_what_cannot_be_read_is_no_gguf_file(tmp_path: Path) -> None:
    assert not is_gguf(tmp_path)
    assert not is_gguf(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        beginning(tmp_path / "none")
