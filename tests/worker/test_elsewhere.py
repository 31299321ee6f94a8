"""Code that would be imported from one folder comes from another."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_llmbench.worker import elsewhere
from pytest_llmbench.worker.elsewhere import Moved
from pytest_llmbench.worker.protocol import protocol

SETUP = """
import os, runpy, sys
sys.dont_write_bytecode = True
sys.path[:] = [entry for entry in sys.path if entry]
"""
INSTALLED_IN_PLACE = """
class Finder:  # as setuptools installs packages in place
    @staticmethod
    def find_spec(name, path=None, target=None):
        import importlib.util
        if name != "project":
            return None
        file = os.path.join(here, "project", "__init__.py")
        folders = [os.path.dirname(file)]
        return importlib.util.spec_from_file_location(
            name, file, submodule_search_locations=folders
        )
sys.meta_path.append(Finder)
"""
MOVE = "runpy.run_path(by)['import_from'](there, here, spoken)\n"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The package ``project`` as it is *here*, and as it was *there*; one file is a link."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, value in ((here, "new"), (there, "old")):
        (folder / "project").mkdir(parents=True)
        (folder / "project" / "__init__.py").write_text(f"VALUE = {value!r}\n")
        (folder / "project" / "part.py").write_text(f"VALUE = {value!r}\n")
    (here / "project" / "added.py").write_text("")
    (there / "project" / "dropped.py").write_text("")
    (here / "project" / "generated.py").write_text("VALUE = 'both'\n")
    (there / "project" / "generated.py").symlink_to(here / "project" / "generated.py")
    return here, there


def run(folders: tuple[Path, Path], before: str, after: str, *, spoken: str | None = None) -> str:
    """What Python prints that moves from *here* to *there* between the two pieces of code."""
    here, there = folders
    names = {
        "here": str(here),
        "there": str(there),
        "by": elsewhere.__file__,
        "spoken": spoken or protocol(),
    }
    given = "".join(f"{name} = {value!r}\n" for name, value in names.items())
    code = SETUP + given + before + MOVE + after
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=here, check=False)
    return done.stdout + done.stderr


ON_THE_PATH = "sys.path.insert(0, here)\n"


@pytest.mark.parametrize("before", [ON_THE_PATH, INSTALLED_IN_PLACE], ids=["path", "in place"])
class TestImports:
    def test_come_from_there(self, folders: tuple[Path, Path], before: str) -> None:
        after = "import project.part, project.dropped\nprint(project.VALUE, project.part.VALUE)"
        assert run(folders, before, after) == "old old\n"

    def test_what_is_not_there_is_missing(self, folders: tuple[Path, Path], before: str) -> None:
        said = run(folders, before, "import project.added")
        assert "ModuleNotFoundError: No module named 'project.added'" in said

    def test_what_is_linked_is_the_same(self, folders: tuple[Path, Path], before: str) -> None:
        after = "from project import generated\nprint(generated.VALUE)"
        assert run(folders, before, after) == "both\n"


def test_a_package_that_is_not_there_is_missing(folders: tuple[Path, Path]) -> None:
    (folders[1] / "project" / "__init__.py").unlink()
    said = run(folders, INSTALLED_IN_PLACE, "import project")
    assert "No module named 'project'" in said


def test_a_folder_without_a_file_is_a_package_too(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        (folder / "project" / "__init__.py").unlink()
    after = "import project.part\nprint(project.part.VALUE)"
    assert run(folders, ON_THE_PATH, after) == "old\n"


def test_other_folders_stay(folders: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "here too"
    other.mkdir()
    (other / "lone.py").write_text("VALUE = 'same'\n")
    before = ON_THE_PATH + f"sys.path.insert(0, {str(other)!r})\n"
    assert run(folders, before, "import lone, json\nprint(lone.VALUE)") == "same\n"


def test_an_environment_in_the_project_stays(folders: tuple[Path, Path]) -> None:
    here, there = folders
    (here / ".venv" / "lib").mkdir(parents=True)
    (there / ".venv").symlink_to(here / ".venv")
    before = f"sys.path.insert(0, {str(here / '.venv' / 'lib')!r})\n"
    assert run(folders, before, "print(sys.path[0])") == f"{here / '.venv' / 'lib'}\n"


def test_the_current_folder_and_children_move_too(folders: tuple[Path, Path]) -> None:
    after = """
import subprocess
print(os.getcwd(), flush=True)
subprocess.run([sys.executable, "-P", "-c", "import project; print(project.VALUE)"])
"""
    assert run(folders, ON_THE_PATH, after) == f"{folders[1]}\nold\n"


def test_another_state_of_this_package_is_refused(folders: tuple[Path, Path]) -> None:
    said = run(folders, "", "", spoken="0123")
    assert f"(its messages are {protocol()}, the session's 0123)" in said


def test_paths(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (tmp_path / "link").symlink_to(here)
    here.mkdir()
    moved = Moved(str(there), str(here))
    assert moved.path(str(here)) == str(there)
    assert moved.path(str(here / "src")) == str(there / "src")
    assert moved.path(str(tmp_path / "link" / "src")) == str(there / "src")
    for elsewhere_ in (str(tmp_path), str(tmp_path / "hereafter"), "built-in"):
        assert moved.path(elsewhere_) == elsewhere_


def test_what_no_finder_finds_is_not_found() -> None:
    assert Moved("there", "here").find_spec("no_such_module", None) is None
    assert importlib.util.find_spec("no_such_module") is None
