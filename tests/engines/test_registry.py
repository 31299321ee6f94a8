"""Other people's engines: found by their entry points; a broken one costs only who uses it."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path

import msgspec
import pytest

from pytest_llmbench.engines import EngineEntry, EngineKeys, create_engine, engines, registry
from pytest_llmbench.engines.discovery import ENTRY_POINTS, Discovered, discover
from pytest_llmbench.engines.entry import check_needs, started
from pytest_llmbench.engines.registry import BUILT_IN, engine_options, start_engine
from pytest_llmbench.errors import ConfigError, EngineNotInstalledError, LoadError
from tests.testing.installing import install, search_path

MODULE = """\
from pytest_llmbench.engines import EngineEntry
from pytest_llmbench.testing import ScriptedEngine, ScriptedOptions

class EchoOptions(ScriptedOptions, frozen=True, kw_only=True):
    '''Keys of the engine echo.'''
    volume: int = 3

class EchoEngine(ScriptedEngine):
    def load(self, options, base_dir):
        own = {key: value for key, value in options.items() if key != "volume"}
        return super().load(own, base_dir)

ENTRY = EngineEntry(module="echoing", adapter="EchoEngine", options="EchoOptions")
NO_KEYS = EngineEntry(module="echoing", adapter="EchoEngine", options="EchoEngine")
NOT_AN_ENTRY = "echo"
"""

CONFIG = """\
[variants.own]
engine = "scripted"

[suites.riddle]
max_new_tokens = 4
rounds = 2
"""

ECHO = '\n[variants.loud]\nengine = "echo"\nvolume = 11\ntext = "hello hello"\n'


class PlainKeys(EngineKeys, frozen=True, kw_only=True):
    """The keys of an engine."""

    gone: bool = False

    def needs(self) -> dict[str, str]:
        return {"no-such-library": "pip install no-such-library"} if self.gone else {}


class PlainEngine:
    """An adapter that imports what the test says."""

    imports = "json"

    def start(self) -> None:
        __import__(self.imports)


class TakenKeys(EngineKeys, frozen=True, kw_only=True):
    """Keys of which one is every variant's."""

    python: str = "3"


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module with entries, as a package of engines has it."""
    module = types.ModuleType("other_people")
    entry = {"module": "other_people", "adapter": "PlainEngine", "options": "PlainKeys"}
    contents = {
        "ENTRY": EngineEntry(**entry),
        "LACKING": EngineEntry(**entry, libraries=("no-such-library",), install="pip install x"),
        "NOT_AN_ENTRY": 3,
        "PlainEngine": PlainEngine,
        "PlainKeys": PlainKeys,
        "TakenKeys": TakenKeys,
    }
    for name, value in contents.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "other_people", module)
    monkeypatch.setattr(PlainEngine, "imports", "json")
    return module


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group=ENTRY_POINTS)


def found(*points: EntryPoint) -> Discovered:
    return discover(points, BUILT_IN)


def test_an_entry_point_is_an_engine(package: types.ModuleType) -> None:
    told = found(point("plain", "other_people:ENTRY"))
    assert dict(told.entries) == {"plain": package.ENTRY}
    assert told.entries["plain"].options_type() is PlainKeys
    assert isinstance(told.entries["plain"].create(), PlainEngine)
    assert not told.problems
    assert not told.ignored


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("no_such_module:ENTRY", "can't be loaded: ModuleNotFoundError: No module named"),
        ("other_people:NOTHING", "can't be loaded: AttributeError: "),
        ("other_people:NOT_AN_ENTRY", "has to be an EngineEntry, but is of the type int"),
    ],
)
@pytest.mark.usefixtures("package")
def test_a_broken_entry_point_is_a_problem_and_no_error(value: str, problem: str) -> None:
    told = found(point("odd", value), point("plain", "other_people:ENTRY"))
    assert set(told.entries) == {"plain"}
    assert problem in told.problems["odd"]
    assert told.problems["odd"].startswith(f"the engine 'odd' of a package ({value}): ")


@pytest.mark.usefixtures("package")
def test_a_name_of_ours_stays_ours() -> None:
    told = found(point("transformers", "other_people:ENTRY"))
    assert not told.entries
    assert not told.problems
    assert "has that name; give it another" in told.ignored["transformers"]


@pytest.mark.usefixtures("package")
def test_a_name_that_two_have_is_nobody_s() -> None:
    told = found(point("plain", "other_people:ENTRY"), point("plain", "other_people:LACKING"))
    assert not told.entries
    assert "(other_people:ENTRY) and a package (other_people:LACKING)" in told.problems["plain"]
    assert "only one of them may have that name" in told.problems["plain"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"options": "PlainEngine"}, "other_people.PlainEngine is no subclass of EngineKeys"),
        ({"options": "Nothing"}, "other_people.Nothing can't be imported: AttributeError"),
        ({"module": "no_such"}, "no_such.PlainKeys can't be imported: ModuleNotFoundError"),
        ({"options": "TakenKeys"}, "has the key 'python', which every variant has already"),
    ],
)
def test_keys_that_are_none(package: types.ModuleType, changed: dict, problem: str) -> None:
    with pytest.raises(ConfigError, match=r"other_people|no_such") as caught:
        dataclasses.replace(package.ENTRY, **changed).options_type()
    assert problem in str(caught.value)


def test_a_missing_library_is_not_installed(
    package: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainEngine, "imports", "no_such_library")
    with pytest.raises(EngineNotInstalledError, match="needs no-such-library, which is not") as e:
        started("plain", package.LACKING)
    assert str(e.value).endswith("; type: pip install x")


def test_a_library_that_breaks_when_imported_is_no_missing_one(
    package: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlainEngine, "imports", "no_such_library")
    with pytest.raises(LoadError, match="'plain' is installed, but can't be imported: ModuleNot"):
        started("plain", package.ENTRY)


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (ImportError("libmlx.so"), LoadError),
        (ModuleNotFoundError("mlx"), EngineNotInstalledError),
        (None, EngineNotInstalledError),
    ],
)
def test_what_an_adapter_says_of_its_libraries_stands(
    package: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    cause: ImportError | None,
    kind: type[Exception],
) -> None:
    def start(self: PlainEngine) -> None:
        raise EngineNotInstalledError("no backend; type: pip install one") from cause

    monkeypatch.setattr(PlainEngine, "start", start)
    with pytest.raises(kind, match=r"no backend; type: pip install one") as caught:
        started("plain", package.ENTRY)
    assert type(caught.value) is kind


def test_what_keys_need_is_checked(package: types.ModuleType) -> None:
    check_needs(package.ENTRY, {})
    with pytest.raises(EngineNotInstalledError, match="need no-such-library, which is not") as e:
        check_needs(package.ENTRY, {"gone": True})
    assert str(e.value).endswith("; type: pip install no-such-library")


def test_an_engine_that_another_python_does_not_know() -> None:
    with pytest.raises(EngineNotInstalledError, match=r"'unheard-of' is not known to .*python"):
        start_engine("unheard-of")


def test_a_broken_engine_refuses_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = found(point("odd", "no_such_module:ENTRY"))
    monkeypatch.setattr(registry, "discovered", lambda: broken)
    assert "odd" not in engines()
    with pytest.raises(ConfigError, match="the engine 'odd' of a package"):
        engine_options()["odd"]()
    with pytest.raises(LoadError, match="the engine 'odd' of a package"):
        start_engine("odd")


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_engine_of_ours_is_where_its_entry_says(name: str) -> None:
    keys = BUILT_IN[name].options_type()
    assert {field.name for field in msgspec.structs.fields(keys)}
    engine = create_engine(name)
    assert all(callable(getattr(engine, m)) for m in ("start", "load", "encode", "generate"))
    survey = BUILT_IN[name].survey
    module = sys.modules[BUILT_IN[name].module]
    assert survey is None or callable(getattr(module, survey))


class Project:
    """A user's folder, with a package of engines installed beside Python's own."""

    def __init__(self, root: Path, **entry_points: str) -> None:
        self.root = root
        install(root / "site", "llmbench-echo", entry_points, echoing=MODULE)
        (root / "llmbench.toml").write_text(CONFIG)
        (root / "pytest.ini").write_text("[pytest]\n")

    def add(self, text: str) -> None:
        with (self.root / "llmbench.toml").open("a") as file:
            file.write(text)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; from pytest_llmbench.cli import main; sys.exit(main(sys.argv[1:]))"
        start = ["-m", *words] if words[0] == "pytest" else ["-c", code, *words]
        environment = {"PYTHONPATH": search_path(self.root / "site"), "COLUMNS": "200", "CI": "1"}
        return subprocess.run(
            [sys.executable, *start],
            cwd=self.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )

    def measure(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("pytest", "--llmbench", "-p", "no:cacheprovider", *words)


def test_a_session_measures_another_package_s_engine(tmp_path: Path) -> None:
    project = Project(tmp_path, echo="echoing:ENTRY")
    project.add(ECHO)
    done = project.measure("--llmbench-json=out.json")
    assert done.returncode == 0, done.stdout
    document = json.loads((tmp_path / "out.json").read_text())
    case = next(case for case in document["cases"] if case["variant"] == "loud")
    assert case["text"] == "hello hello"


def test_its_keys_are_checked_and_in_the_schema(tmp_path: Path) -> None:
    project = Project(tmp_path, echo="echoing:ENTRY")
    project.add(ECHO.replace("volume", "volum"))
    done = project.measure()
    assert done.returncode == 4
    assert "variants.loud: unknown key 'volum' (did you mean 'volume'?" in done.stderr
    variants = json.loads(project.run("schema", "config").stdout)["properties"]["variants"]
    titles = {one["title"]: one for one in variants["additionalProperties"]["oneOf"]}
    assert "volume" in titles["variant under the engine echo"]["properties"]


def test_a_broken_engine_costs_who_uses_it_only(tmp_path: Path) -> None:
    project = Project(tmp_path, echo="echoing:NOT_AN_ENTRY", odd="echoing:NO_KEYS")
    assert project.measure().returncode == 0
    schema = project.run("schema", "config")
    assert schema.returncode == 0
    assert "left out: the engine 'echo' of llmbench-echo" in schema.stderr
    assert "left out: the engine 'odd': echoing.EchoEngine is no subclass" in schema.stderr
    project.add(ECHO)
    done = project.measure()
    assert done.returncode == 4
    lines = [line for line in done.stderr.splitlines() if "llmbench-echo" in line]
    assert len(lines) == 1
    assert lines[0] == (
        "ERROR: llmbench.toml: variants.loud.engine: the engine 'echo' of llmbench-echo "
        "(echoing:NOT_AN_ENTRY): it has to be an EngineEntry, but is of the type str; "
        "correct it or uninstall it"
    )


def test_the_commands_show_them(tmp_path: Path) -> None:
    project = Project(tmp_path, echo="echoing:ENTRY", odd="echoing:NOTHING", mlx="echoing:ENTRY")
    (tmp_path / "llmbench.toml").unlink()
    listed = project.run("list").stdout
    assert "  echo          of llmbench-echo 1.0\n" in listed
    code = (
        "from pytest_llmbench.cli import doctor, doctor_engines\n"
        "doctor._say_engines(doctor_engines.engine_states(lambda _: doctor_engines.Answer("
        "True, ('llmbench-survey {}',))))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": search_path(tmp_path / "site"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "  echo          works\n                from       llmbench-echo 1.0\n" in said
    assert (
        "  odd           no         the engine 'odd' of llmbench-echo (echoing:NOTHING): " in said
    )
    assert "  ignored  the engine 'mlx' of llmbench-echo (echoing:ENTRY): an engine of" in said
