"""Side by side with another commit or interpreter: ``--llmbench-against``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.engines import registry
from tests.plugin.conftest import SMALL, Project, verdicts
from tests.plugin.test_two_interpreters import environment, stub

pytestmark = [
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="the folders are POSIX's"),
]

TWO = """
[variants.base]
engine = "scripted"

[variants.other]
engine = "scripted"
itl_s = 0.02

[suites.small]
path = "small.toml"
rounds = 3
"""

SLOWER = TWO.replace("itl_s = 0.02", "itl_s = 0.024")
ONE = TWO.replace("[variants.other]", "[suites.small]").partition("[suites.small]")[0]
SUITE = '\n[suites.small]\npath = "small.toml"\nrounds = 3\n'


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode().strip()


def commit(project: Project) -> str:
    git(project.root, "add", "-A")
    git(project.root, "commit", "-q", "-m", "one more", "--allow-empty")
    return git(project.root, "rev-parse", "--short=10", "HEAD")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def work(
    project: Project, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A repository with two variants at its only commit; nothing is left of another one."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "none"))
    git(project.root, "init", "-q", "-b", "main")
    (project.root / ".gitignore").write_text("weights/\nout.json\n__pycache__/\n")
    project.with_files(llmbench_toml=TWO, small_toml=SMALL)
    commit(project)
    yield project
    assert git(project.root, "worktree", "list").count("\n") == 0
    assert [path.name for path in temporary.iterdir() if "against" in path.name] == []


class TestACommit:
    def test_that_is_the_same_is_no_worse(self, work: Project) -> None:
        result = work.run("--llmbench-against=HEAD")
        result.assert_outcomes(passed=6)
        assert result.ret == pytest.ExitCode.OK
        short = git(work.root, "rev-parse", "--short=10", "HEAD")
        result.stdout.fnmatch_lines(
            [
                "llmbench: llmbench.toml, variants base, other",
                "llmbench: compared side by side with HEAD",
                "verdicts: * ok",
                f"side by side with HEAD (commit {short})",
            ]
        )
        result.stdout.no_fnmatch_line("*new:*")

    def test_that_was_faster_is_told_from_the_one_that_was_not(self, work: Project) -> None:
        short = git(work.root, "rev-parse", "--short=10", "HEAD")
        result = work.with_files(llmbench_toml=SLOWER).run("--llmbench-against=main")
        result.assert_outcomes(passed=3, failed=3)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        sentence = "itl_s is 20 % above that of other@main, side by side"
        result.stdout.fnmatch_lines(
            [
                f"small/other-paris-n64-t0: {sentence}: 24 ms against 20 ms (accepted: 1 %)",
                "    against     20 ms",
                "    now         24 ms (2 launches)",
                "    change      +20 % against other@main, in turns",
                f"    changed     git_commit {short} -> {short}+dirty",
                "    confirmed   measured again in 1 fresh launch",
                "regressed:",
                f"  small/other-paris-n64-t0: {sentence}: * (and 1 other case likewise)",
                f"  variant other: over 2 cases {sentence} (accepted: 1 %)",
            ]
        )
        result.stdout.no_fnmatch_line("*to accept*")

    def test_that_was_slower_is_told_too(self, work: Project) -> None:
        work.with_files(llmbench_toml=TWO.replace("itl_s = 0.02", "itl_s = 0.015"))
        result = work.run("--llmbench-against=main", "--llmbench-launches=3")
        assert result.ret == pytest.ExitCode.OK
        result.stdout.fnmatch_lines(
            ["improved:", "  variant other: over 2 cases itl_s is 25 % below*"]
        )
        result.stdout.no_fnmatch_line("*--llmbench-replace*")

    def test_a_planted_slowdown_is_of_this_side(self, work: Project) -> None:
        result = work.run("--llmbench-against=HEAD", "--llmbench-plant=base=20%")
        result.assert_outcomes(passed=3, failed=3)
        result.stdout.fnmatch_lines(["*itl_s is 20 % above that of base@HEAD, side by side*"])

    def test_numbers_that_repeat_are_compared(self, work: Project) -> None:
        now = TWO.replace("[suites", 'text = "one two"\nmodel_bytes = 2000\n[suites')
        result = work.with_files(llmbench_toml=now).run("--llmbench-against=main")
        result.assert_outcomes(passed=4, failed=2)
        beside = "that of other@main, side by side"
        result.stdout.fnmatch_lines(
            [
                f"*score is 100 % below {beside}: 0 against 1 (accepted: no change)",
                "    against    1 (other@main)",
                f"*model_bytes is 100 % above {beside}: 1.95 KiB against 1000 B (accepted: no*",
                "    against    1000 B (other@main)",
            ]
        )
        result.stdout.no_fnmatch_line("*baseline*")

    def test_its_own_variants_and_this_side_s_are_left_out(self, work: Project) -> None:
        work.with_files(llmbench_toml=TWO.replace("variants.other", "variants.newer"))
        result = work.run("--llmbench-against=main")
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines(
            [
                "'newer' is new: main has no such variant, so it is not measured",
                "'other' is left out: only main has such a variant",
            ]
        )

    def test_what_is_out_of_scope_is_not_mentioned(self, work: Project) -> None:
        work.with_files(llmbench_toml=TWO.replace("variants.other", "variants.newer"))
        result = work.run("--llmbench-against=main", "--llmbench-variants=b*")
        result.assert_outcomes(passed=3)
        result.stdout.no_fnmatch_line("*left out*")
        result.stdout.no_fnmatch_line("*is new*")

    def test_results_are_this_side_s(self, work: Project) -> None:
        document = work.run_json("--llmbench-against=main")
        assert set(document["variants"]) == {"base", "other"}
        assert {case["variant"] for case in document["cases"]} == {"base", "other"}
        short = git(work.root, "rev-parse", "--short=10", "HEAD")
        assert document["environment"]["context"]["against"] == f"main (commit {short})"
        assert {kind for _, kind in verdicts(document)} == {"ok"}

    def test_rounds_as_many_as_it_takes(self, work: Project) -> None:
        work.with_files(llmbench_toml=TWO.replace("rounds = 3", ""))
        work.run("--llmbench-against=main").assert_outcomes(passed=6)

    def test_a_life_alone_has_its_counterpart(self, work: Project) -> None:
        work.with_files(llmbench_toml=TWO.replace("[suites", "model_bytes = 999\n[suites"))
        result = work.run("--llmbench-against=main", "-k", "life-cycle")
        result.stdout.fnmatch_lines(["*model_bytes is 0.1 % below that of other@main, side by*"])

    def test_python_tests_take_part(self, work: Project) -> None:
        work.with_files(llmbench_toml=SLOWER).pytester.makepyfile(
            "def test_it(llmbench):\n    llmbench()\n"
        )
        result = work.run("--llmbench-against=main", "-k", "poem")
        result.assert_outcomes(passed=2, failed=2, deselected=6)

    def test_no_baseline_is_read(self, work: Project) -> None:
        (work.root / "baselines" / "box").mkdir(parents=True)
        (work.root / "baselines" / "box" / "main.json").write_text("no baseline")
        work.run("--llmbench-against=main").assert_outcomes(passed=6)

    def test_it_can_stand_in_the_ini_file(self, work: Project) -> None:
        work.with_files(pytest_ini="[pytest]\nllmbench_against = main\n")
        result = work.run()
        result.stdout.fnmatch_lines(["side by side with main (commit *"])

    def test_the_command_line_holds_for_both(self, work: Project) -> None:
        result = work.run("--llmbench-against=main", "--llmbench-set", "variants.base.itl_s=0.5")
        result.assert_outcomes(passed=6)

    def test_prompts_are_this_side_s(self, work: Project) -> None:
        work.with_files(small_toml=SMALL.replace("Write a poem.", "Write two poems."))
        work.run("--llmbench-against=main").assert_outcomes(passed=6)

    def test_the_configuration_may_have_had_another_name(self, work: Project) -> None:
        text = TWO.replace("[variants", "[tool.llmbench.variants").replace(
            "[suites", "[tool.llmbench.suites"
        )
        (work.root / "llmbench.toml").rename(work.root / "pyproject.toml")
        (work.root / "pyproject.toml").write_text(text)
        work.run("--llmbench-against=main").assert_outcomes(passed=6)


def test_a_project_in_a_folder_of_its_repository(work: Project) -> None:
    inner = work.root / "inner"
    inner.mkdir()
    for name in ("llmbench.toml", "small.toml", "pytest.ini"):
        (work.root / name).rename(inner / name)
    commit(work)
    (inner / "llmbench.toml").write_text(SLOWER)
    os.chdir(inner)
    work.run("--llmbench-against=main").assert_outcomes(passed=3, failed=3)


class TestTheOtherSideFails:
    """What this side does is not a regression then, and nothing is passed over in silence."""

    @pytest.fixture
    def broken(self, work: Project) -> Project:
        was = TWO.replace("[suites", 'fail_load = "no such weights"\n[suites')
        commit(work.with_files(llmbench_toml=was))
        return work.with_files(llmbench_toml=TWO)

    def test_it_says_why_and_passes(self, broken: Project) -> None:
        result = broken.run("--llmbench-against=main")
        result.assert_outcomes(passed=6)
        said = "can't be compared side by side, because other@main has no result: no such weights"
        result.stdout.fnmatch_lines(["incomparable:", f"*case small/other-paris-n64-t0 {said}*"])

    def test_that_none_of_it_was_measured_is_an_error(self, broken: Project) -> None:
        result = broken.run("--llmbench-against=main", "--llmbench-variants=other")
        result.assert_outcomes(passed=3)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["error: --llmbench-against=main: nothing was compared, *"])

    def test_the_policy_decides(self, broken: Project) -> None:
        result = broken.run("--llmbench-against=main", "--llmbench-inconclusive=fail")
        result.assert_outcomes(passed=3, failed=3)

    def test_a_case_of_it(self, work: Project) -> None:
        was = TWO.replace("[suites", 'fail_on = "poem"\n[suites')
        commit(work.with_files(llmbench_toml=was))
        result = work.with_files(llmbench_toml=TWO).run("--llmbench-against=main")
        result.assert_outcomes(passed=6)
        result.stdout.fnmatch_lines(
            ["*case small/other-poem-n64-t0 can't be compared side by side*refuses prompts*"]
        )


TORTOISE = '''
"""An engine of the project's own, with its speed in another module and in its model."""

from pathlib import Path

from pytest_llmbench.engines import EngineEntry
from pytest_llmbench.engines.scripted import ScriptedEngine, ScriptedOptions

ENTRY = EngineEntry(module="tortoise.engine", adapter="Tortoise", options="TortoiseOptions")


class TortoiseOptions(ScriptedOptions, frozen=True, kw_only=True):
    model: str


class Tortoise(ScriptedEngine):
    def load(self, options, base_dir):
        from tortoise.speed import ITL_S

        left = dict(options)
        factor = float((Path(base_dir) / left.pop("model")).read_text())
        return super().load({**left, "itl_s": ITL_S * factor}, base_dir)
'''

SLOW_AND_STEADY = '[variants.shell]\nengine = "tortoise"\nmodel = "{model}"\n' + SUITE


def tortoise(folder: Path, *, itl_s: float) -> None:
    """Write the package ``tortoise`` and its entry point."""
    (folder / "tortoise").mkdir(parents=True, exist_ok=True)
    (folder / "tortoise" / "__init__.py").touch()
    (folder / "tortoise" / "engine.py").write_text(TORTOISE)
    (folder / "tortoise" / "speed.py").write_text(f"ITL_S = {itl_s}\n")
    info = folder / "tortoise-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Name: tortoise\nVersion: 1.0\n")
    points = "[pytest_llmbench.engines]\ntortoise = tortoise.engine:ENTRY\n"
    (info / "entry_points.txt").write_text(points)


@pytest.fixture
def own(work: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An engine of the project's own, its model and a suite, at a commit."""
    tortoise(work.root / "src", itl_s=0.01)
    monkeypatch.syspath_prepend(str(work.root / "src"))
    registry.discovered.cache_clear()
    work.with_files(llmbench_toml=SLOW_AND_STEADY.format(model="shell.txt"), shell_txt="1")
    commit(work)
    yield work
    registry.discovered.cache_clear()


class TestTheProjectsOwnCode:
    def test_that_did_not_change_is_no_slower(self, own: Project) -> None:
        own.run("--llmbench-against=main").assert_outcomes(passed=3)

    def test_is_the_commit_s(self, own: Project) -> None:
        tortoise(own.root / "src", itl_s=0.013)
        result = own.run("--llmbench-against=main")
        result.assert_outcomes(failed=3)
        result.stdout.fnmatch_lines(["*itl_s is 30 % above that of shell@main, side by side*"])

    def test_and_so_is_a_model_that_is_committed(self, own: Project) -> None:
        own.with_files(shell_txt="1.3")
        own.run("--llmbench-against=main").assert_outcomes(failed=3)

    @pytest.mark.parametrize("model", ["weights/w.txt", "unborn.txt"])
    def test_a_model_that_is_not_is_the_same(self, own: Project, model: str) -> None:
        own.with_files(llmbench_toml=SLOW_AND_STEADY.format(model=model))
        commit(own)
        (own.root / "weights").mkdir()
        (own.root / model).write_text("1")
        result = own.run("--llmbench-against=main")
        result.assert_outcomes(passed=3)
        said = f"both sides use this checkout's {model}, which git does not track"
        assert result.stdout.lines.count(said) == 1

    def test_that_is_installed_as_a_copy_would_be_the_same(
        self, own: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tortoise(tmp_path / "packages", itl_s=0.01)
        info = tmp_path / "packages" / "tortoise-1.0.dist-info"
        (info / "RECORD").write_text("tortoise/__init__.py,,\n")
        (info / "direct_url.json").write_text(json.dumps({"url": own.root.as_uri()}))
        monkeypatch.syspath_prepend(str(tmp_path / "packages"))
        registry.discovered.cache_clear()
        result = own.run("--llmbench-against=main")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = f"this project's package 'tortoise' is installed as a copy in {info.parent}, so both"
        result.stderr.fnmatch_lines([f"*=main: {said}*; install it in place (*), or install main*"])

    def test_an_engine_that_is_no_more_is_an_error_before_any_test(self, own: Project) -> None:
        own.with_files(llmbench_toml='[variants.shell]\nengine = "no"\n' + SUITE)
        commit(own)
        own.with_files(llmbench_toml=SLOW_AND_STEADY.format(model="shell.txt"))
        result = own.run("--llmbench-against=main")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            ["ERROR: --llmbench-against=main: llmbench.toml of main: variants.shell.engine: *"]
        )


class TestAnInterpreter:
    @pytest.fixture
    def both(self, own: Project) -> Project:
        """The engine is installed under another interpreter too, where it takes 10 ms a token."""
        environment(own.root.parent / "other")
        packages = next((own.root.parent / "other").glob("lib/python*/site-packages"))
        tortoise(packages, itl_s=0.01)
        return own

    @pytest.mark.parametrize("spec", ["../other", "../other/bin/python"])
    def test_with_the_same_is_no_slower(self, both: Project, spec: str) -> None:
        result = both.run(f"--llmbench-against={spec}")
        result.assert_outcomes(passed=3)
        python = both.root / "../other/bin/python"
        result.stdout.fnmatch_lines([f"side by side with the interpreter {python}"])

    def test_that_is_faster_is_told(self, both: Project) -> None:
        tortoise(both.root / "src", itl_s=0.013)
        result = both.run("--llmbench-against=../other")
        result.assert_outcomes(failed=3)
        result.stdout.fnmatch_lines(["*itl_s is 30 % above that of shell@../other, side by side*"])

    def test_without_this_package(self, work: Project) -> None:
        venv.create(work.root / "weights" / "bare", symlinks=True)
        result = work.run("--llmbench-against=weights/bare")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = "--llmbench-against=weights/bare: variant 'base@weights/bare' can't start"
        result.stderr.fnmatch_lines(
            [f"ERROR: {said}: pytest-llmbench is not installed for *; type: * -m pip install *"]
        )

    def test_with_a_version_that_speaks_otherwise(self, work: Project) -> None:
        environment(work.root / "weights")
        stub(next((work.root / "weights").glob("lib/python*/site-packages")))
        result = work.run("--llmbench-against=weights")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["*has pytest-llmbench 9.9 and*not understand each other*"])

    def test_a_variant_on_another_host_is_left_out(self, work: Project) -> None:
        work.with_files(llmbench_toml=TWO.replace("itl_s = 0.02", 'host = "ssh=box"'))
        result = work.run(f"--llmbench-against={sys.executable}", "-k", "paris")
        result.assert_outcomes(passed=1, deselected=2)
        result.stdout.fnmatch_lines(
            [f"'other' is left out: it runs on another host (ssh=box), not under {sys.executable}"]
        )


SERVED = """
[variants.served]
engine = "openai"
base_url = "http://127.0.0.1:8000/v1"
model = "m"
serve = ["server"]
"""

WRONG = {
    "--llmbench-save": "can't be saved: its rounds take turns with the other side's*",
    "--llmbench-replace=x": "can't be saved: its rounds take turns with the other side's*",
    "--llmbench-compare=x": "compares with that side, and no baseline is read; leave out*",
    "--llmbench-interleave=off": "takes turns with that side, which --llmbench-interleave=off*",
    "--llmbench-variants=*": None,
}


class TestUsage:
    @pytest.mark.parametrize("option", WRONG)
    def test_options_that_exclude_each_other(self, work: Project, option: str) -> None:
        result = work.run("--llmbench-against=main", option, "--co", "-q")
        said = WRONG[option]
        if said is None:
            assert result.ret == pytest.ExitCode.OK
            return
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: --llmbench-against=main {said}"])

    @pytest.mark.parametrize("spec", ["nothing", "./small.toml", "--all", "HEAD:small.toml"])
    def test_what_is_neither(self, work: Project, spec: str) -> None:
        result = work.run(f"--llmbench-against={spec}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        said = (
            "it is no interpreter (*), and git knows no such commit in *; name one, such as HEAD~1*"
        )
        result.stderr.fnmatch_lines([f"ERROR: --llmbench-against={spec}: {said}"])

    def test_a_shallow_clone_is_told_to_fetch(self, work: Project) -> None:
        commit(work)
        clone = work.root.parent / "clone"
        git(work.root.parent, "clone", "-q", "--depth=1", work.root.as_uri(), str(clone))
        os.chdir(clone)
        result = work.run("--llmbench-against=HEAD~1")
        result.stderr.fnmatch_lines(["*is a shallow clone: fetch more of it (git fetch --un*"])

    def test_no_repository(self, work: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        (work.root / ".git").rename(work.root / "weights")
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(work.root.parent))
        result = work.run("--llmbench-against=main")
        (work.root / "weights").rename(work.root / ".git")
        result.stderr.fnmatch_lines(["*and no commit either: git rev-parse failed in *: fatal: *"])

    def test_a_commit_without_a_configuration(self, work: Project) -> None:
        git(work.root, "rm", "-q", "--cached", "llmbench.toml")
        git(work.root, "commit", "-q", "-m", "without")
        result = work.run("--llmbench-against=HEAD~0")
        result.stderr.fnmatch_lines(["*HEAD~0: commit * has no llmbench.toml; name one that has*"])

    def test_a_configuration_elsewhere(self, work: Project, tmp_path: Path) -> None:
        (tmp_path / "llmbench.toml").write_text(
            TWO.replace("small.toml", str(work.root / "small.toml"))
        )
        result = work.run("--llmbench-against=main", f"--llmbench-config={tmp_path}/llmbench.toml")
        result.stderr.fnmatch_lines(["*is not in the repository *, so no commit has it; move it*"])

    def test_no_variant_in_common(self, work: Project) -> None:
        work.with_files(llmbench_toml=TWO.replace("base", "b").replace("other", "o"))
        result = work.run("--llmbench-against=main")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            ["*main: there is no variant to compare: 'b' is new: main has no such variant*"]
        )

    def test_a_server_that_there_can_be_only_one_of(self, work: Project) -> None:
        commit(work.with_files(llmbench_toml=SERVED + SUITE))
        result = work.run("--llmbench-against=main")
        result.stderr.fnmatch_lines(
            ["*there is no variant to compare: 'served' is left out: *only one of them at a time*"]
        )


def test_ctrl_c_leaves_nothing(work: Project, tmp_path: Path) -> None:
    hanging = TWO.replace("itl_s = 0.02", 'hang_on = "poem"')
    commit(work.with_files(llmbench_toml=hanging))
    temporary = tmp_path / "of the run"
    temporary.mkdir()
    command = [sys.executable, "-m", "pytest", "--llmbench", "--llmbench-against=main"]
    run = subprocess.Popen(
        command,
        cwd=work.root,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(lambda: git(work.root, "worktree", "list").count("\n") == 1)
    time.sleep(0.5)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(timeout=60) == pytest.ExitCode.INTERRUPTED
    assert git(work.root, "worktree", "list").count("\n") == 0
    assert not [path for path in temporary.iterdir() if "against" in path.name]


def until(happened: object, timeout_s: float = 60.0) -> None:
    assert callable(happened)
    end = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.05)
