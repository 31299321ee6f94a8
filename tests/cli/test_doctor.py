"""``llmbench doctor``: both exit codes, every kind of problem, and that it imports no engine."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import pytest

from pytest_llmbench.cli import doctor, doctor_engines, doctor_variants
from pytest_llmbench.cli.doctor_answers import answer_rows
from pytest_llmbench.cli.doctor_engines import Answer, engine_states, run_python
from pytest_llmbench.cli.doctor_pace import Paces
from pytest_llmbench.cli.doctor_quiet import Quiet, burning, read_quiet, waiting
from pytest_llmbench.cli.doctor_variants import server_note, told_here, variant_problem
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.trace import Contention
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import entry
from tests.cli.conftest import Said

Type = Callable[..., Said]
LIBRARIES = ("transformers", "torch", "tokenizers", "accelerate", "safetensors")
STEADY = Paces(((1e-4, 1e-4),))
UNSTEADY = Paces(((1e-4, 1e-4), (1e-4, 1.9e-4)))
OTHERS = ("llama-cpp-python", "mlx-lm", "mlx", "httpx", "httpx-sse", "bitsandbytes")


def survey(text: str) -> Answer:
    """An engine's answer, between lines that its library prints."""
    return Answer(True, ("loading", f"llmbench-survey {text}", "bye"))


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


def quiet(
    one: float | None = 0.0,
    every: float | None = 0.0,
    threads: int = 2,
    paces: Paces = STEADY,
) -> Quiet:
    return Quiet(
        one=contention(one),
        every=contention(every),
        paces=paces,
        threads=threads,
        processors=threads,
    )


def variant_of(engine: str, **options: object) -> Variant:
    return Variant(
        id="base",
        engine=engine,
        options={"model": "a/b", **options},
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
    installed(monkeypatch, *LIBRARIES, *OTHERS)
    monkeypatch.setattr(doctor_engines, "run_python", lambda _: survey('{"devices": ["cpu"]}'))
    monkeypatch.setattr(doctor_variants, "answers", lambda address: address.endswith(":1/v1"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(doctor, "read_quiet", lambda *_: quiet())


@pytest.mark.usefixtures("swift")
def test_without_a_configuration_all_is_fine(run: Type, here: Path) -> None:
    said = run("doctor")
    assert said.code == 0
    for part in ("label", "processor", "instructions", "usable", "memory", "GPUs"):
        assert f"\n  {part} " in said.out
    assert engine_lines(said, "transformers") == [
        "transformers  works",
        "devices    cpu",
        "libraries  transformers 1.0, torch 1.0, tokenizers 1.0, accelerate 1.0, safetensors 1.0",
        "optional   bitsandbytes 1.0",
        "missing    peft, for some keys; type: pip install peft",
    ]
    assert engine_lines(said, "scripted") == ["scripted      works"]
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
    assert "    gpu   can't run: device = 'cuda' does not work (there are: cpu)" in said.out
    assert "    gone  can't run: llmbench.toml: variants.gone.model: the model folder" in said.out


def engine_lines(said: Said, name: str) -> list[str]:
    """The lines of one engine, without the room before them."""
    block = said.out.partition("\nengines\n")[2].partition("\n\n")[0].splitlines()
    first = next(n for n, line in enumerate(block) if line.startswith(f"  {name} "))
    rest = list(itertools.takewhile(lambda line: line.startswith("    "), block[first + 1 :]))
    return [line.strip() for line in (block[first], *rest)]


@pytest.mark.usefixtures("swift")
def test_long_lines_go_on_below_themselves(
    run: Type, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    said = run("doctor")
    lines = engine_lines(said, "transformers")
    assert lines[2:5] == [
        "libraries  transformers 1.0, torch 1.0,",
        "tokenizers 1.0, accelerate 1.0,",
        "safetensors 1.0",
    ]
    block = said.out.partition("\nengines\n")[2].partition("\n\n")[0]
    assert max(map(len, block.splitlines())) <= 60
    assert "type: pip install peft" in " ".join(lines)


@pytest.mark.usefixtures("swift")
def test_what_the_keys_of_a_variant_need(run: Type, project: Path) -> None:
    with (project / "llmbench.toml").open("a") as file:
        file.write('[variants.lora]\nengine = "transformers"\nmodel = "a/b"\nadapter = "c/d"\n')
    with absent("peft"):
        said = run("doctor")
    assert said.code == 1
    assert "lora  can't run: the keys of this variant need peft, which is not" in said.out
    assert "pytest-llmbench[peft]" in said.out


@pytest.mark.usefixtures("swift")
def test_servers_are_knocked_at(run: Type, project: Path) -> None:
    with (project / "llmbench.toml").open("a") as file:
        for name, rest in (
            ("up", 'base_url = "http://127.0.0.1:1/v1"'),
            ("down", 'base_url = "http://127.0.0.1:2/v1"'),
            ("own", 'serve = ["{python}", "serve.py", "{port}"]'),
            ("gone", 'serve = ["no-such-program", "{port}"]'),
        ):
            file.write(f'[variants.{name}]\nengine = "openai"\nmodel = "m"\n{rest}\n')
    said = run("doctor")
    assert said.code == 1
    assert "up    can run; its server answers at http://127.0.0.1:1/v1\n" in said.out
    assert "down  can run; nothing answers at http://127.0.0.1:2/v1 now: start the" in said.out
    assert "own   can run\n" in said.out
    assert "gone  can't run: serve starts 'no-such-program', which is no program here" in said.out


def test_knocking_for_real() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        served = variant_of("openai", base_url=address)
        assert server_note(served) == f"its server answers at {address}"
    assert str(server_note(served)).startswith(f"nothing answers at {address} now")
    assert server_note(variant_of("scripted")) is None


@pytest.mark.usefixtures("swift")
def test_another_python_is_asked(run: Type, project: Path, tmp_path: Path) -> None:
    with (project / "llmbench.toml").open("a") as file:
        file.write(f'[variants.same]\nengine = "scripted"\npython = "{sys.executable}"\n')
        file.write('[variants.none]\nengine = "scripted"\npython = "no/such/python"\n')
        file.write(f'[variants.bare]\nengine = "scripted"\npython = "{bare_python(tmp_path)}"\n')
    said = run("doctor")
    flat = " ".join(said.out.split())
    assert said.code == 1
    assert f"same can run under {sys.executable}" in flat
    assert "none can't run: llmbench.toml: variants.none.python: the interpreter" in flat
    assert "bare can't run: pytest-llmbench is not installed for" in flat
    assert "-m pip install pytest-llmbench==" in flat


def test_what_another_python_would_say() -> None:
    told = json.loads(told_here("scripted", {}))
    assert (told["state"]["name"], told["state"]["problem"], told["needs"]) == (
        "scripted",
        None,
        None,
    )
    assert "not known there" in json.loads(told_here("unheard-of", {}))["state"]["problem"]
    with absent("peft"):
        told = json.loads(told_here("transformers", {"model": "a/b", "adapter": "c/d"}))
    assert "need peft" in told["needs"]


@pytest.mark.usefixtures("swift")
def test_a_host_that_is_not_there(run: Type, project: Path) -> None:
    with (project / "llmbench.toml").open("a") as file:
        file.write('[variants.far]\nengine = "scripted"\nhost = "ssh=no.such.host.invalid"\n')
    said = run("doctor")
    flat = " ".join(said.out.split())
    assert said.code == 1
    assert "far can't run:" in flat
    assert "no.such.host.invalid" in flat


@contextlib.contextmanager
def absent(distribution: str) -> Iterator[None]:
    """Within it *distribution* is not installed."""
    whole = entry.metadata.distribution

    def found(name: str) -> Distribution:
        if name == distribution:
            raise PackageNotFoundError(name)
        return whole(name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(entry.metadata, "distribution", found)
        yield


@pytest.mark.usefixtures("swift")
def test_a_host_is_asked(
    run: Type, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin" / "ssh"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\nfor command; do :; done\nexec sh -c "$command"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent), prepend=os.pathsep)
    with (project / "llmbench.toml").open("a") as file:
        file.write(f'[variants.far]\nengine = "scripted"\npython = "{sys.executable}"\n')
        file.write('host = "ssh=gpu-box"\n')
    said = run("doctor")
    assert said.code == 0, said.out
    assert "far   can run on ssh=gpu-box, which was asked\n" in said.out


def bare_python(folder: Path) -> Path:
    """An interpreter that has nothing installed."""
    script = folder / "bare-python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    script.chmod(0o755)
    return script


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
    variant = variant_of("transformers", device="auto")
    assert variant_problem(variant, {"transformers": state}) == state.problem


def test_an_engine_that_breaks_when_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, *LIBRARIES)
    broken = Answer(False, ("Traceback", "ImportError: no libcudart"))
    state = engine_states(lambda _: broken)["transformers"]
    assert state.problem is not None
    assert "does not work: ImportError: no libcudart; type: pip install" in state.problem


def test_an_engine_that_says_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, *LIBRARIES)
    state = engine_states(lambda _: Answer(True, ("hello",)))["transformers"]
    assert state.problem is not None
    assert "does not work: hello" in state.problem


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
    states = engine_states(lambda _: survey('{"devices": ["cpu", "cuda:0"]}'))
    problem = variant_problem(variant_of("transformers", device=device), states)
    assert (problem is None) is works


def test_a_program_is_asked_in_its_own_process() -> None:
    assert run_python("print('a'); print(1 + 1)") == Answer(True, ("a", "2"))
    assert run_python("raise ImportError('gone')").last_line == "ImportError: gone"
    assert run_python("raise SystemExit(3)") == Answer(False, ("status 3",))
    assert run_python("", ["no-such-python"]).last_line.startswith("no-such-python: No such file")


@pytest.mark.parametrize(
    ("reading", "advice"),
    [
        (quiet(), "good to measure on; an engine that leaves one core free (threads = 1"),
        (quiet(threads=1), "good to measure on"),
        (quiet(every=0.6), "something else runs here: end it, or live beside it"),
        (quiet(one=0.3, every=1.2), "something else keeps every core busy"),
        (quiet(one=0.3, every=0.3, threads=1), "something else keeps every core busy"),
        (quiet(one=None, every=None), "good to measure on"),
        (quiet(paces=UNSTEADY), "no thread had to wait; an engine that leaves one core free"),
        (quiet(threads=1, paces=UNSTEADY), "no thread had to wait"),
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

    reading = read_quiet(4, 8, burn, lambda: UNSTEADY)
    assert waiting(reading.every) == "200 %"
    assert reading.paces == UNSTEADY
    assert asked == [1, 4]
    assert waiting(contention(None)) == "unknown"


def test_what_a_system_cannot_tell(
    monkeypatch: pytest.MonkeyPatch, run: Type, here: Path, swift: None
) -> None:
    nothing = contention(None, None)
    blind = Quiet(one=nothing, every=nothing, paces=STEADY, threads=2, processors=2)
    monkeypatch.setattr(doctor, "read_quiet", lambda *_: blind)
    said = run("doctor")
    assert "no (there is no /proc/PID/schedstat)" in said.out
    assert "no (there is no /proc/stat)" in said.out


@pytest.mark.usefixtures("swift")
def test_processors_that_keep_their_speed(run: Type, here: Path) -> None:
    said = run("doctor")
    assert "\n  pace of the processors    steady: 100 µs, at most 1.00 times that\n" in said.out
    assert "what it means" not in said.out


@pytest.mark.usefixtures("swift")
def test_processors_that_change_their_speed(
    run: Type, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "read_quiet", lambda *_: quiet(paces=UNSTEADY))
    said = run("doctor")
    flat = " ".join(said.out.split())
    assert said.code == 0
    assert "not steady: 100 µs at its best, 1.90 times that at its worst" in flat
    assert "what it means: processors change speed under this machine. Another guest" in flat
    assert "Rounds at more than 1.25 times the pace that is usual are repeated" in flat
    assert "what to do: measure at a quieter hour" in flat
    assert "good to measure on" not in flat


def test_for_real_it_imports_no_engine(here: Path) -> None:
    script = (
        "import sys\nfrom pytest_llmbench.cli import main\ncode = main(['doctor'])\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\nraise SystemExit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_what_can_be_measured_of_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = dict(answer_rows())
    assert rows["similarity"].startswith(("sentence-transformers 6", "no: "))
    assert rows["running code"].startswith(("yes: a program was run", "no: this machine can't"))
    find = importlib.util.find_spec
    absent = ("sentence_transformers", "pyseccomp")
    monkeypatch.setattr(
        "importlib.util.find_spec",
        lambda name, *more: None if name in absent else find(name, *more),
    )
    rows = dict(answer_rows())
    assert rows["similarity"].endswith("type: pip install 'pytest-llmbench[similarity]'")
    assert rows["running code"].endswith("type: pip install 'pytest-llmbench[code]'")
