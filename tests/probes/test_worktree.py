"""Another commit in a folder of its own: what it holds, and that nothing of it is left."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest

from pytest_llmbench.errors import ConfigError
from pytest_llmbench.probes.worktree import Repository, Worktree

pytestmark = [
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="links are not for everybody there"),
]


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    command = ["git", *who, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, timeout=30, capture_output=True)
    return done.stdout.decode().strip()


def commit(folder: Path, **files: str) -> str:
    """Write and commit *files* (``code_py``); return the commit."""
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one more")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def work(tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with two commits, of which the first says ``VALUE = 1``."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / ".gitignore").write_text("weights/\n_version.py\n__pycache__/\n*.so\n")
    commit(folder, code_py="VALUE = 1\n")
    commit(folder, code_py="VALUE = 2\n")
    return folder.resolve()


@pytest.fixture
def before(work: Path) -> Iterator[Worktree]:
    """The first commit, with weights and generated files beside the checkout's code."""
    (work / "weights").mkdir()
    (work / "weights" / "w.bin").write_text("w")
    (work / "_version.py").write_text("")
    (work / "code.so").write_text("")
    (work / "__pycache__").mkdir()
    (work / "__pycache__" / "code.pyc").write_text("")
    (work / "untracked.py").write_text("")
    repository = Repository(work)
    tree = Worktree(repository, str(repository.commit("HEAD~1")))
    yield tree
    tree.close()


def test_a_repository_is_found_from_any_of_its_folders(work: Path) -> None:
    (work / "deep").mkdir()
    assert Repository.around(work / "deep").root == work


def test_no_repository(tmp_path: Path, work: Path) -> None:
    with pytest.raises(ConfigError, match=r"^git rev-parse failed in .*not a git repository"):
        Repository.around(tmp_path)


def test_no_git(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="git is not installed; install it"):
        Repository.around(work)


@pytest.mark.parametrize("revision", ["main", "HEAD", "HEAD~1", "main@{0}", ":/one"])
def test_a_revision_names_a_commit(work: Path, revision: str) -> None:
    assert Repository(work).commit(revision) == git(work, "rev-parse", revision)


@pytest.mark.parametrize("revision", ["", "other", "--all", "-", "HEAD:code.py", "a\nb"])
def test_what_is_no_commit_is_none(work: Path, revision: str) -> None:
    assert Repository(work).commit(revision) is None


def test_a_tag_names_its_commit(work: Path) -> None:
    git(work, "tag", "-a", "v1", "-m", "first", "HEAD~1")
    assert Repository(work).commit("v1") == git(work, "rev-parse", "HEAD~1")


def test_a_shallow_clone_says_so(work: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", work.as_uri(), "clone")
    assert Repository(tmp_path / "clone").shallow
    assert not Repository(work).shallow


def test_the_folder_holds_the_commit(before: Worktree) -> None:
    assert (before.root / "code.py").read_text() == "VALUE = 1\n"
    assert before.root.name == before.repository.root.name
    assert git(before.root, "rev-parse", "HEAD") == before.repository.commit("HEAD~1")


def test_what_git_ignores_is_the_checkout_s(before: Worktree) -> None:
    assert sorted(before.links) == [PurePath("_version.py"), PurePath("weights")]
    assert (before.root / "weights" / "w.bin").read_text() == "w"


def test_what_is_neither_ignored_nor_of_the_commit_is_not_there(before: Worktree) -> None:
    for name in ("untracked.py", "code.so", "__pycache__"):
        assert not (before.root / name).exists()


def test_paths_have_their_counterpart(before: Worktree, tmp_path: Path) -> None:
    here = before.repository.root
    assert before.counterpart(here / "a" / "b.toml") == before.root / "a" / "b.toml"
    assert before.counterpart(tmp_path / "b.toml") is None


def test_a_link_never_replaces_what_the_commit_has(before: Worktree) -> None:
    before.link(PurePath("code.py"))
    assert not (before.root / "code.py").is_symlink()


def test_no_link_is_made_through_a_link_that_leads_out(before: Worktree) -> None:
    outside = before.repository.root / "weights"
    before.link(PurePath("weights/new"))
    assert sorted(p.name for p in outside.iterdir()) == ["w.bin"]
    assert PurePath("weights/new") not in before.links


def test_tracked_is_what_git_knows(before: Worktree) -> None:
    repository = before.repository
    assert repository.is_tracked(repository.root / "code.py")
    assert repository.is_tracked(repository.root)
    assert not repository.is_tracked(repository.root / "untracked.py")
    assert not repository.is_tracked(repository.root / "*")


def state(work: Path) -> dict[str, bytes]:
    """All files of the checkout and git's index, but not git's notes of worktrees."""
    found = (path for path in work.rglob("*") if path.is_file())
    return {
        str(path.relative_to(work)): path.read_bytes()
        for path in found
        if ".git/worktrees" not in str(path)
    }


def test_the_checkout_and_the_index_stay_as_they_are(work: Path) -> None:
    (work / "code.py").write_text("VALUE = 2\n")  # as it was, but newer: git would refresh
    (work / ".git" / "hooks" / "post-checkout").write_text(f"#!/bin/sh\ntouch {work}/hooked\n")
    (work / ".git" / "hooks" / "post-checkout").chmod(0o755)
    was = state(work)
    Worktree(Repository(work), str(Repository(work).commit("HEAD~1"))).close()
    assert state(work) == was


def test_a_git_hook_s_environment_is_not_used(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(work)
    first, was = str(repository.commit("HEAD~1")), state(work)
    monkeypatch.setenv("GIT_DIR", str(work / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(work / ".git" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(work))
    tree = Worktree(repository, first)
    assert (tree.root / "code.py").read_text() == "VALUE = 1\n"
    tree.close()
    assert state(work) == was


def test_nothing_is_left(before: Worktree, temporary: Path) -> None:
    assert list(temporary.iterdir())
    before.close()
    before.close()
    assert not list(temporary.iterdir())
    assert git(before.repository.root, "worktree", "list").count("\n") == 0
    assert (before.repository.root / "weights" / "w.bin").exists(), "links were not followed"


def test_a_commit_that_can_t_be_checked_out_leaves_nothing(work: Path, temporary: Path) -> None:
    with pytest.raises(ConfigError, match=r"^git worktree add failed in .*: fatal: "):
        Worktree(Repository(work), "0" * 40)
    assert not list(temporary.iterdir())


def test_what_a_killed_session_left_is_removed_by_the_next(work: Path, temporary: Path) -> None:
    script = f"""
import os, sys, tempfile
from pathlib import Path
from pytest_llmbench.probes.worktree import Repository, Worktree
tempfile.tempdir = {str(temporary)!r}
tree = Worktree(Repository(Path({str(work)!r})), "HEAD")
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    (left,) = temporary.iterdir()
    with_mine = Worktree(Repository(work), "HEAD")
    assert not left.exists()
    with_mine.close()


def test_that_of_a_session_that_runs_is_left_alone(work: Path, before: Worktree) -> None:
    Worktree(Repository(work), "HEAD").close()
    assert (before.root / "code.py").exists()
    assert (before.root / "weights").samefile(work / "weights")
