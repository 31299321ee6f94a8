"""Two versions of a library side by side in one session, and interpreters that won't do."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import sysconfig
import venv
from importlib import metadata
from pathlib import Path

import pytest

from tests.plugin.conftest import Project
from tests.support import DEMO_MODEL

OLDER = {"5.23.0": "5.22.0", "5.22.0": "5.21.1"}
"""For the version of transformers that is installed here, another that the demo model runs on."""

BOTH = """
[variants.today]
engine = "transformers"
model = "{model}"
device = "cpu"
threads = 1

[variants.before]
engine = "transformers"
model = "{model}"
device = "cpu"
threads = 1
python = "older/bin/python"

[suites.small]
path = "small.toml"
max_new_tokens = 4
rounds = 2
"""

ONE_PROMPT = '[[prompts]]\nid = "hello"\nprompt = "What is the capital of France?"\n'

ODD = """
[variants.good]
engine = "scripted"
[variants.odd]
engine = "scripted"
python = "{python}"
[suites.small]
path = "small.toml"
"""

posix = pytest.mark.skipif(sys.platform == "win32", reason="the folders are POSIX's")


def environment(folder: Path, *beside: str) -> Path:
    """A virtual environment that sees this one's packages behind its own, with *beside* in it."""
    venv.create(folder, symlinks=True)
    own = next(folder.glob("lib/python*/site-packages"))
    ours = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    behind = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(ours)]
    (own / "zz_behind.pth").write_text("\n".join(behind))
    if beside:
        install = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", own, *beside]
        subprocess.run(install, check=True, capture_output=True)
    return folder / "bin" / "python"


@functools.cache
def older_transformers() -> str:
    version = metadata.version("transformers")
    if version not in OLDER:
        pytest.fail(f"name a version beside transformers {version} in {Path(__file__).name}")
    return OLDER[version]


@posix
@pytest.mark.engine("transformers")
def test_two_versions_of_an_engine_in_one_session(project: Project) -> None:
    older = older_transformers()
    environment(project.root / "older", f"transformers=={older}")
    project.with_files(llmbench_toml=BOTH.format(model=DEMO_MODEL), small_toml=ONE_PROMPT)
    document = project.run_json()
    facts = {name: entry["facts"] for name, entry in document["variants"].items()}
    assert facts["today"]["settings"]["transformers"] == metadata.version("transformers")
    assert facts["before"]["settings"]["transformers"] == older
    assert facts["before"]["settings"]["python"].endswith(sys.version.split()[0])
    assert "python" not in facts["today"]["settings"]
    assert facts["today"]["identity"] == facts["before"]["identity"]
    assert [case["error"] for case in document["cases"]] == [None, None]
    rounds = [case["metrics"]["latency_s"]["rounds"] for case in document["cases"]]
    assert len(rounds) == 2
    assert all(values for values in rounds)
    texts = {case["text"] for case in document["cases"]}
    assert len(texts) == 1, "both run the same model, greedily"


@posix
def test_an_interpreter_without_this_package_costs_its_variant(project: Project) -> None:
    venv.create(project.root / "bare", symlinks=True)
    project.with_files(llmbench_toml=ODD.format(python="bare/bin/python"), small_toml=ONE_PROMPT)
    result = project.run()
    result.assert_outcomes(passed=2, failed=2)
    python = project.root / "bare" / "bin" / "python"
    version = metadata.version("pytest-llmbench")
    line = f"type: {python} -m pip install pytest-llmbench=={version}"
    result.stdout.fnmatch_lines([f"*'odd' can't start: * is not installed for {python}; {line}*"])
    assert "Traceback" not in result.stdout.str()


@posix
def test_another_version_of_this_package_costs_its_variant(project: Project) -> None:
    environment(project.root / "other")
    stub(next((project.root / "other").glob("lib/python*/site-packages")))
    project.with_files(llmbench_toml=ODD.format(python="other/bin/python"), small_toml=ONE_PROMPT)
    result = project.run()
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*has pytest-llmbench 9.9 and the session*; type: *-m pip*"])


def stub(folder: Path) -> None:
    """Put another version of this package where it is found first."""
    (folder / "pytest_llmbench").mkdir()
    (folder / "pytest_llmbench" / "__init__.py").touch()
    info = folder / "pytest_llmbench-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: pytest-llmbench\nVersion: 9.9\n")


def test_an_interpreter_that_is_not_there_is_an_error_before_any_test(project: Project) -> None:
    project.with_files(llmbench_toml=ODD.format(python="no/such"), small_toml=ONE_PROMPT)
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    path = re.escape(str(project.root / "no" / "such"))
    said = rf"ERROR: llmbench\.toml: variants\.odd\.python: the interpreter {path} does not exist"
    result.stderr.re_match_lines([said])
    project.run("--llmbench-variants=good").assert_outcomes(passed=2)
