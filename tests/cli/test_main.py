"""Exit codes, errors, and what is imported when."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Said

Type = Callable[..., Said]
COMMANDS = ("list", "show", "doctor", "export", "report", "schema", "selftest")
HEAVY = ("numpy", "torch", "transformers", "msgspec", "psutil", "execnet", "rich", "pynvml")


@pytest.mark.parametrize("words", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_says_what_exit_codes_mean(run: Type, words: list[str]) -> None:
    said = run(*words)
    assert said.code == 0
    assert "exit codes:" in said.out
    assert "130  interrupted" in said.out


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom pytest_llmbench.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\nprint('LOADED', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.rpartition("LOADED")[2].split()
    assert not set(HEAVY) & set(loaded)


@pytest.mark.parametrize("words", [[], ["dance"], ["schema"], ["selftest", "--plant", "0"]])
def test_wrong_usage_is_two(run: Type, words: list[str]) -> None:
    said = run(*words)
    assert said.code == 2
    assert said.err.startswith("usage: llmbench")


@pytest.mark.parametrize("command", [["list"], ["selftest"], ["show", "variant", "a"]])
def test_a_wrong_configuration_is_one_line_and_two(
    run: Type, here: Path, command: list[str]
) -> None:
    (here / "llmbench.toml").write_text('[variants.a]\nengine = "scriptd"\n')
    said = run(*command)
    assert said.code == 2
    assert said.err == (
        "llmbench: llmbench.toml: variants.a.engine: unknown engine 'scriptd' (did you mean "
        "'scripted'? allowed: transformers, llama-cpp, mlx, openai, ollama, scripted)\n"
    )
    assert not said.out


@pytest.mark.parametrize(("name", "what"), [("no.toml", "does not exist"), (".", "is a folder")])
def test_a_configuration_that_is_no_file(run: Type, here: Path, name: str, what: str) -> None:
    said = run("list", f"--config={name}")
    assert said.code == 2
    assert f"--config={name}: it {what}; name a file" in said.err


def test_the_version(run: Type) -> None:
    said = run("--version")
    assert said.code == 0
    assert said.out.startswith("pytest-llmbench 0.")


def test_a_broken_pipe_is_quiet(here: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from pytest_llmbench.cli import main; raise SystemExit(main())",
    ]
    with subprocess.Popen(
        [*command, "show", "metrics"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 141
    assert said == b""
