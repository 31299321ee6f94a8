"""``llmbench selftest``: it passes where the gate works and says no where it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli import selftest
from pytest_llmbench.cli.selftest_subject import (
    TOKEN_S,
    calibrated_work,
    configured_subject,
    own_subject,
)
from pytest_llmbench.config import load_config
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import engine_options
from pytest_llmbench.runner import planning
from pytest_llmbench.runner.crews import Crews
from tests.cli.conftest import Said

Type = Callable[..., Said]
LLMBENCH = [sys.executable, "-c", "from pytest_llmbench.cli import main; raise SystemExit(main())"]


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch, steady_machine: None) -> None:
    monkeypatch.setattr(selftest, "_LONGEST_REST_S", 1.0)


def add(project: Path, text: str) -> None:
    with (project / "llmbench.toml").open("a") as file:
        file.write(text)


def test_it_passes_on_scripted_variants(run: Type, project: Path) -> None:
    said = run("selftest")
    assert said.code == 0, said.out
    lines = said.out.splitlines()
    assert lines[0] == "self-test of llmbench.toml: 2 variants, 4 cases"
    passed = [line.strip().partition("  ")[0] for line in lines if " passed: " in line]
    assert passed == [
        "baseline session 1 of 3",
        "baseline session 2 of 3",
        "baseline session 3 of 3",
        "the same code again",
        "20 % planted in fast",
        "20 % planted in slow",
    ]
    assert "\nthe gate works on this machine: the same code passed, and 20 % more time" in said.out
    assert {path.name for path in project.iterdir()} == {"llmbench.toml", "own.toml"}
    numbers = said.out.partition("\nwhat could be found here, held against 3 sessions\n")[2]
    rows = [line.split() for line in numbers.splitlines()]
    assert [row[:2] for row in rows] == [
        ["fast", "itl_s"],
        ["fast", "ttft_s"],
        ["slow", "itl_s"],
        ["slow", "ttft_s"],
    ]
    assert all(row[3:6] == ["%", "and", "more"] and float(row[2]) < 20 for row in rows)
    assert all(line.endswith("its own past, 2 cases") for line in numbers.splitlines()[:2])
    assert all(line.endswith("its ratio to fast, 2 cases") for line in numbers.splitlines()[2:])


def test_a_slowdown_too_small_to_see_is_no(run: Type, project: Path) -> None:
    said = run("selftest", "--plant", "1")
    assert said.code == 1
    assert "the same code again              passed" in said.out
    assert "1 % planted in fast              failed: slowed but not accused" in said.out
    assert "the gate does not work on this machine: slowed but not accused:\n" in said.out
    assert "  fast as a whole: over 2 cases itl_s rose by 1 %" in said.out
    assert "planted in slow" not in said.out


def test_a_crippled_gate_is_no(run: Type, project: Path) -> None:
    add(project, '[tolerance]\nitl_s = "1000%"\nttft_s = "1000%"\n')
    said = run("selftest")
    assert said.code == 1
    assert "slowed but not accused" in said.out
    assert "(accepted: 1000 %)" in said.out


def test_a_slowdown_that_noise_hides_is_inconclusive(run: Type, project: Path) -> None:
    said = run("selftest", "--plant", "1.5", "--variants=fast")
    assert said.code == 1
    step = "  1.5 % planted in fast            inconclusive: here only a worsening of "
    assert said.out.count(step) == 3
    assert said.out.count("can be told from noise; once more (") == 2
    assert "\ninconclusive: here only a worsening of " in said.out


def test_variants_that_are_not_loaded_together_are_said_and_measured_alone(
    run: Type, project: Path
) -> None:
    add(project, '[variants.huge]\nengine = "scripted"\n')
    apart = "'huge' is loaded alone, type --llmbench-interleave=on"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "crews", alone_with(apart))
        said = run("selftest", "--variants=huge,fast")
    assert said.code == 0, said.out
    assert said.out.count("'huge' is loaded alone, type --interleave=on\n") == 1
    rows = said.out.partition("\nwhat could be found here")[2].splitlines()[1:]
    assert all(row.endswith("its own past, 2 cases") for row in rows)


def alone_with(reason: str) -> Callable[..., Crews]:
    """What forms crews of one variant each, and says *reason*."""

    def crews(variants: Sequence[Variant], **_: object) -> Crews:
        return Crews(crews=tuple((variant.id,) for variant in variants), reasons=(reason,))

    return crews


def test_interleaving_can_be_turned_off(run: Type, project: Path) -> None:
    said = run("selftest", "--interleave=off")
    assert said.code == 0, said.out
    assert "its ratio to fast" not in said.out
    assert run("selftest", "--interleave=maybe").code == 2


def test_limits_of_whole_generations_do_not_count(run: Type, project: Path) -> None:
    add(project, '[limits]\nlatency_s = "<= 1 us"\nscore = ">= 1"\n')
    assert run("selftest", "--variants=fast").code == 0


def test_a_part_of_the_variants(run: Type, project: Path) -> None:
    said = run("selftest", "--variants=sl*")
    assert said.code == 0, said.out
    assert "1 variant, 2 cases" in said.out
    assert "planted in slow" in said.out
    assert "fast" not in said.out


def test_variants_that_are_not_there(run: Type, project: Path) -> None:
    said = run("selftest", "--variants=x*")
    assert said.code == 2
    assert "--variants: 'x*' matches no variant (there are: fast, slow)" in said.err


def test_an_engine_that_is_absent_is_left_out(run: Type, project: Path) -> None:
    add(project, '[variants.absent]\nengine = "scripted"\nnot_installed = true\n')
    said = run("selftest")
    assert said.code == 0, said.out
    assert "absent: left out: the engine 'scripted' was told not to be installed" in said.out


def test_only_absent_engines_prove_nothing(run: Type, project: Path) -> None:
    add(project, '[variants.absent]\nengine = "scripted"\nnot_installed = true\n')
    said = run("selftest", "--variants=absent")
    assert said.code == 1
    assert "inconclusive: no variant is left" in said.out


def test_a_model_that_cannot_be_loaded_is_no(run: Type, project: Path) -> None:
    add(project, '[variants.broken]\nengine = "scripted"\nfail_load = "no such weights"\n')
    said = run("selftest")
    assert said.code == 1
    assert "failed: not everything could be measured" in said.out
    assert "no such weights" in said.out


def test_baseline_files_are_kept(run: Type, project: Path) -> None:
    said = run("selftest", "--keep=kept", "--variants=fast", "--rounds=2")
    assert said.code == 0, said.out
    store = Store(project / "kept" / "baselines")
    (machine,) = store.machines()
    baseline = store.read(machine, "selftest")
    assert baseline is not None
    assert len(baseline.sessions) == 3
    again = run("selftest", "--keep=kept", "--variants=fast")
    assert again.code == 0, again.out
    baseline = store.read(machine, "selftest")
    assert baseline is not None
    assert len(baseline.sessions) == 3


def test_cases_are_few_and_short(project: Path) -> None:
    add(project, '[suites.tasks]\n[suites.grid]\nvariants = ["slow"]\n')
    text = (project / "llmbench.toml").read_text().replace("[4, 6]", "[64, 128]")
    (project / "llmbench.toml").write_text(text)
    subject = configured_subject(load_config(project / "llmbench.toml", engine_options()), (), None)
    cases = [case for cases in subject.cases.values() for case in cases]
    assert [case.id for case in cases[:2]] == [
        "fast-capital-france-n32fixed-t0",
        "fast-talk-n32fixed-t0",
    ]
    assert {case.suite for case in cases} == {"own"}
    assert {case.sampling.rounds for case in cases} == {5}


def test_a_configuration_without_suites_is_asked_the_built_in_one(run: Type, here: Path) -> None:
    (here / "llmbench.toml").write_text('[variants.a]\nengine = "scripted"\n')
    said = run("selftest")
    assert said.code == 0, said.out
    assert "1 variant, 3 cases" in said.out


def test_a_variant_without_any_suite(run: Type, here: Path) -> None:
    (here / "llmbench.toml").write_text(
        '[variants.a]\nengine = "scripted"\n[variants.b]\nengine = "scripted"\n'
        '[suites.riddle]\nvariants = ["a"]\n'
    )
    said = run("selftest")
    assert said.code == 2
    assert "no suite is for the variant 'b'" in said.err


def test_work_is_calibrated_by_the_fastest_sample() -> None:
    samples = iter([0.002, 0.001, *[0.005] * 100])
    work = calibrated_work(lambda: next(samples))
    assert work == round(512 * TOKEN_S / 0.001)
    assert calibrated_work(lambda: 1e9) == 1


def test_its_own_subject_works_for_real(tmp_path: Path) -> None:
    subject = own_subject(tmp_path / "new", (), None)
    assert list(subject.cases) == ["first", "second"]
    assert subject.config.reference == "first"
    assert subject.count == 4
    assert {case.sampling.rounds for cases in subject.cases.values() for case in cases} == {None}
    assert all(variant.options["work"] for variant in subject.config.variants.values())


def test_without_a_configuration_it_says_what_it_found(run: Type, here: Path) -> None:
    """What that is depends on who else uses the machine: the rules have tests of their own."""
    told = run("selftest", "--rounds=5")
    assert told.err == ""
    assert "the scripted engine with real work for the processor" in told.out
    said = {
        "the gate works on this machine: ": 0,
        "the gate does not work on this machine: ": 1,
        "inconclusive: ": 1,
    }
    (status,) = (status for words, status in said.items() if f"\n{words}" in told.out)
    assert told.code == status


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_the_workers(here: Path) -> None:
    process = subprocess.Popen(
        [*LLMBENCH, "selftest"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children: list[psutil.Process] = []
    deadline = time.monotonic() + 20
    while len(children) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        children = psutil.Process(process.pid).children(recursive=True)
    time.sleep(0.5)  # both variants are loaded, and take turns
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert said == "llmbench: interrupted\n"
    assert not [child for child in children if child.is_running()]
