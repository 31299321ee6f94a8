"""A worker that dies, hangs or can't load costs its own variant's cases, and says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.plugin.conftest import SMALL, Project

THREE = """
[variants.before]
engine = "scripted"
[variants.bad]
engine = "scripted"
{bad}
[variants.after]
engine = "scripted"
[suites.small]
path = "small.toml"
rounds = 2
"""


def with_bad(project: Project, bad: str) -> Project:
    return project.with_files(llmbench_toml=THREE.format(bad=bad), small_toml=SMALL)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('kill_on = "poem"', "*lost its process while generating small/bad-poem*SIGKILL*"),
        ('kill_on = "poem"\nkill_signal = 11', "*lost its process*SIGSEGV*last printed*dies of*"),
        ('hang_on = "poem"\nround_timeout_s = 1', "*no answer within 1 s*bad.round_timeout_s*"),
    ],
    ids=["SIGKILL", "SIGSEGV", "hang"],
)
def test_a_lost_worker_costs_its_own_cases(project: Project, bad: str, said: str) -> None:
    result = with_bad(project, bad).run("-v")
    # bad: paris passes, poem fails, its life fails; the others have two cases and a life each.
    result.assert_outcomes(passed=7, failed=2)
    result.stdout.fnmatch_lines(["*bad-paris*PASSED*", "*bad-poem*FAILED*", "*after-poem*PASSED*"])
    result.stdout.fnmatch_lines([said])
    assert "Traceback" not in result.stdout.str()


def test_cases_after_the_loss_name_the_first(project: Project) -> None:
    document = with_bad(project, 'kill_on = "capital"').run_json()
    errors = [case["error"] for case in document["cases"] if case["variant"] == "bad"]
    assert "SIGKILL" in errors[0]
    assert "while generating small/bad-paris-n64-t0" in errors[1]
    kinds = [v["kind"] for c in document["cases"] if c["variant"] == "bad" for v in c["verdicts"]]
    assert kinds == ["error", "error"]


def test_a_refused_prompt_costs_one_case_and_names_where_it_stands(project: Project) -> None:
    result = with_bad(project, 'fail_on = "poem"').run()
    result.assert_outcomes(passed=8, failed=1)
    result.stdout.fnmatch_lines(["*small.toml: prompts?2?: *'poem' under 'bad'*refuses*"])


def test_a_prompt_longer_than_the_context_says_what_to_lower(project: Project) -> None:
    result = with_bad(project, "context_tokens = 66").run()
    result.assert_outcomes(passed=7, failed=2)
    result.stdout.fnmatch_lines(["*small.toml: prompts?1?*6 tokens*64 make 70*66*max_new_tokens*"])


@pytest.mark.parametrize("bad", ['fail_load = "no such weights"', "kill_on_load = true"])
def test_a_failed_load_costs_its_variant(project: Project, bad: str) -> None:
    result = with_bad(project, bad).run()
    result.assert_outcomes(passed=6, failed=3)
    result.stdout.fnmatch_lines(["*no such weights*" if "weights" in bad else "*while loading*"])


def test_an_engine_that_is_not_installed_is_skipped_or_with_strict_fails(project: Project) -> None:
    with_bad(project, "not_installed = true").run("-rs").assert_outcomes(passed=6, skipped=3)
    project.run("--llmbench-strict").assert_outcomes(passed=6, failed=3)
    project.with_files(pytest_ini="[pytest]\nllmbench_strict = true\n")
    project.run().assert_outcomes(passed=6, failed=3)


def test_an_error_of_the_engine_s_own_is_one_line(project: Project) -> None:
    project.with_files(
        llmbench_toml='[variants.a]\nengine = "scripted"\nkill_signal = 0\nkill_on = "x"\n'
        "[suites.small]\npath = 'small.toml'\n",
        small_toml='[[prompts]]\nid = "a"\nprompt = "x"\n[[prompts]]\nid = "b"\nprompt = "b"\n',
    )
    result = project.run()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*ValueError: 0 is not a valid Signals*"])


def is_worker(process: psutil.Process) -> bool:
    """Whether it is one of execnet's: pytest also has git as a child for a moment."""
    try:
        return "sys.stdin.readline" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [child for child in psutil.Process(process.pid).children() if is_worker(child)]
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("no worker was started")


def start_hanging(project: Project) -> subprocess.Popen[bytes]:
    with_bad(project, 'hang_on = "poem"')
    arguments = ["--llmbench", "--llmbench-variants=bad", "--llmbench-json=out.json"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")
def test_ctrl_c_ends_the_workers_and_keeps_what_was_measured(project: Project) -> None:
    process = start_hanging(project)
    workers = workers_of(process)
    time.sleep(2)  # the first case is over and the second hangs
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=30) == 2
    assert not psutil.wait_procs(workers, timeout=10)[1]
    document = json.loads((project.root / "out.json").read_text())
    assert [case["id"] for case in document["cases"]] == ["small/bad-paris-n64-t0"]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_workers_end_with_a_session_that_is_killed(project: Project, stopped: bool) -> None:
    process = start_hanging(project)
    workers = workers_of(process)
    time.sleep(1)
    for worker in workers if stopped else []:
        worker.suspend()
    process.kill()
    process.wait()
    assert not psutil.wait_procs(workers, timeout=10)[1]


def test_no_process_and_no_log_is_left_behind(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(psutil.Process().children())
    with_bad(project, 'kill_on = "poem"').run()
    assert not list(tmp_path.glob("llmbench-*.log"))
    assert set(psutil.Process().children()) <= before
