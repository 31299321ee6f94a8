"""``llmbench doctor``: both exit codes, every kind of problem, and that it imports no engine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_llmbench.cli import doctor, doctor_engines
from pytest_llmbench.cli.doctor_engines import Answer, engine_states, run_python, variant_problem
from pytest_llmbench.cli.doctor_quiet import Quiet, burning, read_quiet, waiting
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.trace import Contention
from pytest_llmbench.domain.variant import Variant
from tests.cli.conftest import Said

Type = Callable[..., Said]
LIBRARIES = ("transformers", "torch", "tokenizers", "accelerate", "safetensors")


def contention(run_delay_s: float | None, steal_s: float | None = 0.0) -> Contention:
    return Contention(
        wall_s=1.0,
        run_delay_s=run_delay_s,
        involuntary_switches=0,
        steal_s=steal_s,
        load_1m=0.5,
        gpu_clock_reasons=None,
        gpu_temperature_c=None,
    )


def quiet(one: float | None = 0.0, every: float | None = 0.0, threads: int = 2) -> Quiet:
    return Quiet(one=contention(one), every=contention(every), threads=threads, processors=threads)


def transformers_variant(**options: object) -> Variant:
    return Variant(
        id="base",
        engine="transformers",
        options=options,
        base_dir=Path(),
        python=None,
        host=None,
        load_timeout_s=1.0,
        round_timeout_s=1.0,
        gates=Gates(),
    )


def installed(monkeypatch: pytest.MonkeyPatch, *libraries: str) -> None:
    versions = dict.fromkeys(libraries, "1.0")
    monkeypatch.setattr(
        doctor_engines,
        "library_versions",
        lambda names: {n: versions[n] for n in names if n in versions},
    )


@pytest.fixture
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine is asked and nothing is burnt: what they say is told."""
    installed(monkeypatch, *LIBRARIES)
    monkeypatch.setattr(doctor_engines, "run_python", lambda _: Answer(True, '{"devices": ["cpu"]}'))
    monkeypatch.setattr(doctor, "read_quiet", lambda *_: quiet())


@pytest.mark.usefixtures("swift")
def test_without_a_configuration_all_is_fine(run: Type, here: Path) -> None:
    said = run("doctor")
    assert said.code == 0
    for part in ("label", "processor", "instructions", "usable", "memory", "GPUs"):
        assert f"\n  {part} " in said.out
    assert "\n  transformers  works  devices: cpu; transformers 1.0, torch 1.0" in said.out
    assert "good to measure on" in said.out
    assert "llmbench show --example > llmbench.toml" in said.out


@pytest.mark.usefixtures("swift")
def test_variants_that_can_run(run: Type, project: Path) -> None:
    said = run("doctor")
    assert said.code == 0
    assert "  llmbench.toml\n    fast  can run\n    slow  can run\n" in said.out


@pytest.mark.usefixtures("swift")
def test_a_variant_that_cannot_run_is_no(run: Type, project: Path) -> None:
    with (project / "llmbench.toml").open("a") as file:
        file.write('[variants.gpu]\nengine = "transformers"\nmodel = "a/b"\ndevice = "cuda"\n')
        file.write('[variants.gone]\nengine = "transformers"\nmodel = "./gone"\n')
    said = run("doctor")
    assert said.code == 1
    assert "    fast  can run\n" in said.out
    assert "    gpu   can't run: device = 'cuda' does not work here (there are: cpu)" in said.out
    assert "    gone  can't run: llmbench.toml: variants.gone.model: the model folder" in said.out


@pytest.mark.usefixtures("swift")
def test_a_wrong_configuration_comes_after_everything_else(run: Type, here: Path) -> None:
    (here / "llmbench.toml").write_text("colour = 1\n")
    said = run("doctor")
    assert said.code == 2
    assert "is it quiet now?" in said.out
    assert said.err.startswith("llmbench: llmbench.toml: unknown key 'colour'")


def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "torch")
    state = engine_states(lambda _: pytest.fail("nobody to ask"))["transformers"]
    assert state.problem == (
        "missing: transformers, tokenizers, accelerate, safetensors; "
        "type: pip install 'pytest-llmbench[transformers]'"
    )
    assert state.versions == {"torch": "1.0"}
    variant = transformers_variant(device="auto")
    assert variant_problem(variant, {"transformers": state}) == state.problem


def test_an_engine_that_breaks_when_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, *LIBRARIES)
    state = engine_states(lambda _: Answer(False, "ImportError: no libcudart"))["transformers"]
    assert state.problem is not None
    assert "can't be imported: ImportError: no libcudart; type: pip install" in state.problem


@pytest.mark.parametrize(
    ("device", "works"),
    [
        ("auto", True),
        ("cpu", True),
        ("cuda", True),
        ("cuda:0", True),
        ("cuda:1", False),
        ("mps", False),
    ],
)
def test_devices(monkeypatch: pytest.MonkeyPatch, device: str, works: bool) -> None:
    installed(monkeypatch, *LIBRARIES)
    states = engine_states(lambda _: Answer(True, '{"devices": ["cpu", "cuda", "cuda:0"]}'))
    problem = variant_problem(transformers_variant(device=device), states)
    assert (problem is None) is works


def test_a_program_is_asked_in_its_own_process() -> None:
    assert run_python("print('a'); print(1 + 1)") == Answer(True, "2")
    assert run_python("raise ImportError('gone')") == Answer(False, "ImportError: gone")
    assert run_python("raise SystemExit(3)") == Answer(False, "status 3")


@pytest.mark.parametrize(
    ("reading", "advice"),
    [
        (quiet(), "good to measure on; an engine that leaves one core free (threads = 1"),
        (quiet(threads=1), "good to measure on"),
        (quiet(every=0.6), "something else runs here: end it, or live beside it"),
        (quiet(one=0.3, every=1.2), "something else keeps every core busy"),
        (quiet(one=0.3, every=0.3, threads=1), "something else keeps every core busy"),
        (quiet(one=None, every=None), "good to measure on"),
    ],
)
def test_advice(reading: Quiet, advice: str) -> None:
    assert reading.advice.startswith(advice)


def test_burning_keeps_threads_busy_until_the_reading() -> None:
    reading = burning(2, 0.2)
    assert 0.2 <= reading.wall_s < 5
    assert reading.run_delay_s is None or reading.run_delay_s >= 0


def test_one_thread_first_then_all() -> None:
    asked: list[int] = []

    def burn(threads: int, _: float) -> Contention:
        asked.append(threads)
        return contention(0.5 * threads)

    assert waiting(read_quiet(4, 8, burn).every) == "200 %"
    assert asked == [1, 4]
    assert waiting(contention(None)) == "unknown"


def test_what_a_system_cannot_tell(
    monkeypatch: pytest.MonkeyPatch, run: Type, here: Path, swift: None
) -> None:
    blind = Quiet(contention(None, None), contention(None, None), threads=2, processors=2)
    monkeypatch.setattr(doctor, "read_quiet", lambda *_: blind)
    said = run("doctor")
    assert "no (there is no /proc/PID/schedstat)" in said.out
    assert "no (there is no /proc/stat)" in said.out


def test_for_real_it_imports_no_engine(here: Path) -> None:
    script = (
        "import sys\nfrom pytest_llmbench.cli import main\ncode = main(['doctor'])\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\nraise SystemExit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
