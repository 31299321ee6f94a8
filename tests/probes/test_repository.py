import re
import shutil
import subprocess

import pytest

from pytest_llmbench.probes.repository import git_commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, timeout=30)


def commit(folder):
    (folder / "file").write_text("one")
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", "first")


def test_a_clean_commit_is_abbreviated(repository):
    commit(repository)
    (repository / "untracked").write_text("x")
    assert re.fullmatch(r"[0-9a-f]{10}", git_commit(repository))


def test_a_changed_file_is_marked(repository):
    commit(repository)
    (repository / "file").write_text("two")
    assert re.fullmatch(r"[0-9a-f]{10}\+dirty", git_commit(repository))


def test_reading_does_not_touch_the_index(repository):
    commit(repository)
    index = repository / ".git/index"
    (repository / "file").write_text("one")  # as it was, but newer: git would refresh
    before = index.read_bytes()
    git_commit(repository)
    assert index.read_bytes() == before


def test_no_commit_yet(repository):
    assert git_commit(repository) is None


def test_no_repository(repository, tmp_path):
    assert git_commit(tmp_path) is None


def test_no_folder(tmp_path):
    assert git_commit(tmp_path / "absent") is None


def test_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit(tmp_path) is None


def test_a_git_that_hangs_costs_only_the_time_out(tmp_path, monkeypatch):
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(slow))
    assert git_commit(tmp_path, timeout_s=0.1) is None
