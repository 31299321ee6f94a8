"""The house holds: imports go down only, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_llmbench

PACKAGE = Path(pytest_llmbench.__file__).parent

FLOORS = {
    "errors": 0,
    "units": 0,
    "domain": 1,
    "config": 2,
    "metrics": 3,
    "verdict": 3,
    "engines": 3,
    "probes": 3,
    "baselines": 3,
    "worker": 4,
    "runner": 5,
    "report": 5,
    "testing": 6,
    "plugin": 6,
    "cli": 6,
}
"""The floor of each part; a part imports its own files and lower floors."""

ALLOWED_BESIDE = {("verdict", "metrics"), ("cli", "testing")}
"""Neighbours on one floor that may be imported, one way."""

HEAVY = ("numpy", "torch", "transformers", "msgspec", "psutil", "execnet", "rich", "pynvml")


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the floor"
            found.add(node.module or "")
            if node.module == "pytest_llmbench":
                found.update(f"pytest_llmbench.{alias.name}" for alias in node.names)
    return found


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imports_of(path):
        if not name.startswith("pytest_llmbench."):
            continue
        other = part_of(name)
        lower = FLOORS[other] < FLOORS[part] or other == part or (part, other) in ALLOWED_BESIDE
        assert lower, f"{part} imports {name}, which is not below it"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_the_plugin_and_the_contract_import_pytest(path: Path) -> None:
    if path.relative_to(PACKAGE).parts[0] not in ("plugin", "testing"):
        assert not {n for n in imports_of(path) if n.split(".")[0] in ("pytest", "_pytest")}


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('LOADED', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


def test_importing_the_package_loads_the_standard_library_only() -> None:
    loaded = loaded_by("import pytest_llmbench") - loaded_by("")
    tops = {name.split(".")[0] for name in loaded}
    assert {name for name in loaded if name.startswith("pytest_llmbench")} == {"pytest_llmbench"}
    assert tops - {"pytest_llmbench"} <= sys.stdlib_module_names


def test_the_scripted_engine_is_there_without_pytest() -> None:
    loaded = loaded_by("from pytest_llmbench.testing import ScriptedEngine, ScriptedOptions")
    assert "pytest_llmbench.engines.scripted" in loaded
    assert not {name for name in loaded if name.split(".")[0] in ("pytest", "_pytest", "execnet")}
    assert "pytest" in loaded_by("from pytest_llmbench.testing import EngineContract")


def test_the_registry_loads_no_engine() -> None:
    loaded = loaded_by("from pytest_llmbench.engines import engine_options; engine_options()")
    assert "pytest_llmbench.engines.registry" in loaded
    engines = {"transformers", "llama_cpp", "mlx", "openai", "ollama", "scripted"}
    assert not {name for name in engines if f"pytest_llmbench.engines.{name}" in loaded}
    assert not {"torch", "transformers", "llama_cpp", "mlx", "httpx"} & loaded


def test_drawing_is_loaded_where_a_report_is_written() -> None:
    drawing = {"altair", "vl_convert", "jinja2"}
    assert not drawing & loaded_by(
        "import pytest_llmbench.plugin.hooks, pytest_llmbench.cli.report"
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--co", "-q"]])
def test_pytest_without_the_flag_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text("def test_plain(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    alone = ["-p", "no:xdist", "-p", "no:xdist.looponfail", *arguments]
    code = f"import os, pytest; os.chdir({str(tmp_path)!r}); pytest.main({alone!r})"
    loaded = loaded_by(code)
    assert "pytest_llmbench.plugin" in loaded, "the plugin was not registered at all"
    assert not {name for name in HEAVY if name in loaded}
    ours = {name for name in loaded if name.startswith("pytest_llmbench.")}
    plugin = {f"pytest_llmbench.plugin{part}" for part in ("", ".options", ".marker")}
    names = {f"pytest_llmbench.report{part}" for part in ("", ".exports", ".exports.registry")}
    assert ours <= plugin | names
