"""Files: life cycle, window, names, locks, and refusals that leave everything as it was."""

from __future__ import annotations

import multiprocessing
import os
import stat
from pathlib import Path

import filelock
import pytest

from pytest_llmbench.baselines import store as store_module
from pytest_llmbench.baselines.format import SCHEMA_VERSION, encode
from pytest_llmbench.baselines.store import Store
from pytest_llmbench.errors import BaselineError

from .facts import make_baseline, make_session

NEWER = b'{"schema_version": %d}' % (SCHEMA_VERSION + 1)


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def saved(store, name="main"):
    return [session.saved_at for session in store.read("box", name).sessions]


def put(root: Path, data: bytes) -> Path:
    path = root / "box" / "main.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return path


def test_nothing_is_there_at_first(tmp_path):
    store = Store(tmp_path / "none")
    assert store.read("box", "main") is None
    assert store.machines() == ()
    assert store.names("box") == ()
    assert not (tmp_path / "none").exists()


def test_sessions_are_added_oldest_first(tmp_path):
    store = Store(tmp_path / "deep" / "baselines")
    assert store.add("box", "main", make_session("1")) == store.root / "box" / "main.json"
    store.add("box", "main", make_session("2"))
    assert saved(store) == ["1", "2"]
    assert files(tmp_path) == ["deep/baselines/box/main.json"]


def test_the_window_drops_the_oldest(tmp_path):
    store = Store(tmp_path)
    for number in range(12):
        store.add("box", "main", make_session(str(number)))
    assert saved(store) == [str(number) for number in range(2, 12)]
    store.add("box", "main", make_session("12"), window=2)
    assert saved(store) == ["11", "12"]
    store.add("box", "main", make_session("13"), window=1)
    assert saved(store) == ["13"]


def test_a_window_of_none_is_refused(tmp_path):
    with pytest.raises(BaselineError, match="keeps at least 1 session, but 0 were asked for"):
        Store(tmp_path).add("box", "main", make_session(), window=0)
    assert files(tmp_path) == []


def test_replacing_starts_anew(tmp_path):
    store = Store(tmp_path)
    store.add("box", "main", make_session("1"))
    store.add("box", "main", make_session("2"))
    store.replace("box", "main", make_session("3"))
    assert saved(store) == ["3"]
    store.replace("box", "other", make_session("4"))
    assert saved(store, "other") == ["4"]


def test_names_and_machines_are_listed(tmp_path):
    store = Store(tmp_path)
    for machine, name in (("b", "main"), ("a", "main"), ("a", "int8.2")):
        store.add(machine, name, make_session())
    (tmp_path / "empty").mkdir()
    (tmp_path / "a" / ".hidden.json").touch()
    (tmp_path / "a" / "notes.txt").touch()
    assert store.machines() == ("a", "b")
    assert store.names("a") == ("int8.2", "main")


def test_a_copied_file_bears_its_new_names(tmp_path):
    store = Store(tmp_path)
    path = store.add("box", "main", make_session())
    path.with_name("release.json").write_bytes(path.read_bytes())
    assert store.read("box", "release").name == "release"


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "é", "x" * 101])
def test_names_that_are_no_safe_file_names(tmp_path, name):
    store = Store(tmp_path)
    with pytest.raises(BaselineError, match=r"baseline name .* is no safe file name; use up to"):
        store.read("box", name)
    with pytest.raises(BaselineError, match=r"machine name .* is no safe file name"):
        store.add(name, "main", make_session())
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["main", "v1.2", "_x-", "-", "0", "x" * 100])
def test_names_that_are_safe(tmp_path, name):
    store = Store(tmp_path)
    store.add(name, name, make_session())
    assert store.names(name) == (name,)


def test_a_corrupt_file_is_never_added_to(tmp_path):
    path = put(tmp_path, b"{")
    store = Store(tmp_path)
    for attempt in (store.read, lambda m, n: store.add(m, n, make_session())):
        with pytest.raises(BaselineError, match=r"main\.json can't be read: Input data was trunc"):
            attempt("box", "main")
    assert path.read_bytes() == b"{"


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b"[]", b"", b'{"schema_version": "x"}'])
def test_a_corrupt_file_may_be_replaced(tmp_path, data):
    put(tmp_path, data)
    store = Store(tmp_path)
    store.check_writable("box", "main")
    store.replace("box", "main", make_session("1"))
    assert saved(store) == ["1"]


def test_an_older_file_is_added_to_in_this_version(tmp_path):
    old = encode(make_baseline(make_session("old"), schema_version=1))
    path, store = put(tmp_path, old), Store(tmp_path)
    store.add("box", "main", make_session("new"))
    assert saved(store) == ["old", "new"]
    assert store.read("box", "main").schema_version == SCHEMA_VERSION
    assert b'"schema_version": %d,' % SCHEMA_VERSION in path.read_bytes()


def test_a_newer_file_is_never_written(tmp_path):
    path = put(tmp_path, NEWER)
    store = Store(tmp_path)
    for attempt in (
        lambda: store.read("box", "main"),
        lambda: store.add("box", "main", make_session()),
        lambda: store.replace("box", "main", make_session()),
        lambda: store.check_writable("box", "main"),
    ):
        said = rf"has schema_version {SCHEMA_VERSION + 1}, but .* up to {SCHEMA_VERSION}; upg"
        with pytest.raises(BaselineError, match=said):
            attempt()
    assert path.read_bytes() == NEWER


def test_checking_leaves_nothing(tmp_path):
    Store(tmp_path / "deep" / "er").check_writable("box", "main")
    assert list(tmp_path.iterdir()) == []
    store = Store(tmp_path)
    store.add("box", "main", make_session())
    before = files(tmp_path)
    store.check_writable("box", "main")
    assert files(tmp_path) == before == ["box/main.json"]


def test_a_root_that_is_a_file(tmp_path):
    root = tmp_path / "file"
    root.write_text("mine")
    store = Store(root)
    for attempt in (
        lambda: store.check_writable("box", "main"),
        lambda: store.add("box", "main", make_session()),
        lambda: store.replace("box", "main", make_session()),
    ):
        with pytest.raises(BaselineError, match="Not a directory; check the folder, or name anot"):
            attempt()
    assert root.read_text() == "mine"


def test_a_folder_that_refuses_is_found_before_anything_is_measured(tmp_path, monkeypatch):
    def refuse(self, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(BaselineError) as caught:
        Store(tmp_path).check_writable("box", "main")
    assert str(caught.value) == (
        f"baseline {tmp_path / 'box' / 'main.json'} can't be written: Permission denied; check "
        "the folder, or name another with --llmbench-baselines=DIR"
    )


def test_a_folder_in_the_place_of_the_file(tmp_path):
    (tmp_path / "box" / "main.json").mkdir(parents=True)
    with pytest.raises(BaselineError, match="can't be read: Is a directory"):
        Store(tmp_path).check_writable("box", "main")


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    store = Store(tmp_path)
    path = store.add("box", "main", make_session("1"))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BaselineError, match="can't be written: No space left on device"):
        store.add("box", "main", make_session("2"))
    assert path.read_bytes() == before
    assert files(tmp_path) == ["box/main.json"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_others_may_read_the_file_as_the_umask_says(tmp_path):
    umask = os.umask(0o022)
    try:
        path = Store(tmp_path).add("box", "main", make_session())
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_lock_that_another_session_holds(tmp_path, monkeypatch):
    class Held:
        def __init__(self, path, timeout):
            self.path = str(path)

        def __enter__(self):
            raise filelock.Timeout(self.path)

        def __exit__(self, *_):
            raise AssertionError

    monkeypatch.setattr(store_module.filelock, "FileLock", Held)
    with pytest.raises(BaselineError, match="can't be locked: another session has held it for 60"):
        Store(tmp_path).add("box", "main", make_session())


def add_some(root, first):
    for number in range(first, first + 3):
        Store(root).add("box", "main", make_session(str(number)), window=100)


def test_sessions_that_save_at_once_all_get_in(tmp_path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=add_some, args=(tmp_path, first)) for first in (0, 10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert sorted(saved(Store(tmp_path)), key=int) == ["0", "1", "2", "10", "11", "12"]
