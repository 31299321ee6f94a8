"""How a report comes to stand where it stands: in one step, and never over what is no file."""

from __future__ import annotations

import os
import stat

import pytest

from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.files import check_file, write_file

FLAG = "--llmbench-json"
DATA = b"new"


def test_others_may_read_it(tmp_path):
    path = tmp_path / "results.json"
    umask = os.umask(0o022)
    try:
        write_file(path, DATA, flag=FLAG)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_link_stays_a_link(tmp_path):
    target, link = tmp_path / "real.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    write_file(link, DATA, flag=FLAG)
    assert link.is_symlink()
    assert target.read_bytes() == DATA


def test_a_failure_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "results.json"
    path.write_text("old")

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(ConfigError, match="Permission denied"):
        write_file(path, DATA, flag=FLAG)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def a_folder(tmp_path):
    return tmp_path


def below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    return tmp_path / "file" / "results.json"


def a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def too_long(tmp_path):
    return tmp_path / ("x" * 300)


@pytest.mark.parametrize("make", [a_folder, below_a_file, a_pipe, too_long])
@pytest.mark.parametrize(
    "use",
    [lambda path: check_file(path, flag=FLAG), lambda path: write_file(path, DATA, flag=FLAG)],
    ids=["check", "write"],
)
def test_no_place_for_a_file_is_one_sentence(tmp_path, make, use):
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ConfigError) as caught:
        use(path)
    message = str(caught.value)
    assert message.startswith(f"--llmbench-json={path} can't be written: ")
    assert message.endswith(
        "type --llmbench-json=FILE with a file in a folder that you may write to"
    )
    assert sorted(tmp_path.iterdir()) == before


def test_a_null_byte_is_a_sentence(tmp_path):
    with pytest.raises(ConfigError, match="null byte"):
        check_file(tmp_path / "a\0b", flag=FLAG)


@pytest.mark.parametrize("name", ["results.json", "new/folder/results.json"])
def test_checking_leaves_nothing_behind(tmp_path, name):
    check_file(tmp_path / name, flag=FLAG)
    assert list(tmp_path.iterdir()) == []


def test_checking_keeps_an_old_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    check_file(path, flag=FLAG)
    assert path.read_text() == "old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_not_ours(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o500)
    with pytest.raises(ConfigError, match="Permission denied"):
        check_file(folder / "results.json", flag=FLAG)
