"""What a worker inherits of its session, and what it doesn't find by accident."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from pytest_llmbench.errors import EngineNotInstalledError, WorkerCrashedError
from pytest_llmbench.worker import WorkerPool
from pytest_llmbench.worker.child import Loop
from pytest_llmbench.worker.messages import Load, Loaded, Start
from tests.support import variant
from tests.worker.conftest import pid_of

TELLS = """
import json, os, sys
from pytest_llmbench.engines import EngineEntry
from pytest_llmbench.engines.scripted import ScriptedEngine, ScriptedOptions

ENTRY = EngineEntry(module="brood", adapter="Telling", options="ScriptedOptions")

class Telling(ScriptedEngine):
    def load(self, options, base_dir):
        told = {"path": sys.path, "environ": dict(os.environ), "cwd": os.getcwd()}
        (base_dir / "told.json").write_text(json.dumps(told))
        return super().load(options, base_dir)
"""

other = pytest.mark.parametrize("python", [None, sys.executable], ids=["own", "another"])


def told(pool: WorkerPool, folder: Path, python: str | None) -> dict:
    (folder / "brood.py").write_text(TELLS)
    asked = msgspec.structs.replace(variant("v", "brood"), base_dir=folder, python=python)
    worker = pool.open(asked)
    worker.start()
    worker.load()
    return msgspec.json.decode((folder / "told.json").read_bytes())


@other
def test_files_where_somebody_types_stand_in_for_no_library(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str | None
) -> None:
    for name in ("msgspec.py", "psutil.py", "queue.py", "platform.py"):
        (tmp_path / name).write_text("raise ImportError('found in the current folder')")
    monkeypatch.chdir(tmp_path)
    worker = pool.open(msgspec.structs.replace(variant("v", "scripted"), python=python))
    worker.start()
    assert worker.load().facts.device == "cpu"


def test_it_imports_from_where_the_session_does(pool: WorkerPool, brood: Path) -> None:
    assert told(pool, brood, None)["path"] == [entry or str(Path.cwd()) for entry in sys.path]


def test_another_interpreter_imports_from_its_own_places(
    pool: WorkerPool, brood: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(brood))
    path = told(pool, brood, sys.executable)["path"]
    assert path[0] == str(brood)
    assert not {"", str(Path.cwd())} & set(path) - {str(Path(__file__).parents[2])}


@other
@pytest.mark.parametrize("threads", ["3", None])
def test_it_has_the_session_s_environment(
    pool: WorkerPool,
    brood: Path,
    monkeypatch: pytest.MonkeyPatch,
    python: str | None,
    threads: str | None,
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(brood))
    monkeypatch.setenv("LLMBENCH_TEST", "told")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if threads is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
    environ = told(pool, brood, python)["environ"]
    assert environ.pop("LLMBENCH_WORKER")
    # C libraries (readline, OpenMP) set variables of their own behind os.environ's back.
    assert {name: environ.get(name) for name in os.environ} == dict(os.environ)
    assert ("OMP_NUM_THREADS" in environ) == (threads is not None)


def test_its_interpreter_is_in_the_record(pool: WorkerPool) -> None:
    asked = msgspec.structs.replace(variant("v", "scripted"), python=sys.executable)
    ready = pool.open(asked).start()
    assert ready.settings["python"].endswith(sys.version.split()[0])
    assert ready.identity == {}


def test_an_engine_that_is_not_installed_names_the_interpreter(pool: WorkerPool) -> None:
    asked = variant("v", "scripted", not_installed=True)
    worker = pool.open(msgspec.structs.replace(asked, python=sys.executable))
    worker.start()
    with pytest.raises(EngineNotInstalledError, match=r"\(for python = '.*python.*'\)$"):
        worker.load()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_script_that_stands_for_the_interpreter_will_do(pool: WorkerPool, tmp_path: Path) -> None:
    shim = tmp_path / "python"
    shim.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')
    shim.chmod(0o755)
    worker = pool.open(msgspec.structs.replace(variant("v", "scripted"), python=str(shim)))
    worker.start()
    worker.load()
    assert psutil.Process(pid_of(worker)).ppid() != os.getpid()
    assert worker._launched.process._warden is not None


def test_a_package_that_can_t_be_imported_there_says_why(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise ImportError('msgspec is broken here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    asked = msgspec.structs.replace(variant("v", "scripted"), python=sys.executable)
    with pytest.raises(WorkerCrashedError, match="it failed with ImportError: msgspec is broken"):
        pool.open(asked).start()


def test_paths_on_another_host_start_from_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_llmbench.engines.scripted import ScriptedEngine

    seen = []
    load = ScriptedEngine.load
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(
        ScriptedEngine, "load", lambda self, o, b: seen.append(b) or load(self, o, b)
    )
    loop = Loop(ends_with_parent=True, pause=lambda: None)
    loop.answer(Start(engine="scripted", libraries=(), slowdown=0.0))
    assert isinstance(loop.answer(Load(options={}, base_dir="~")), Loaded)
    assert seen == [tmp_path]
