"""llama.cpp itself: its log, its version, the fields of its structs, what doctor says of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_llmbench.engines import create_engine
from pytest_llmbench.engines.llama_cpp import survey
from pytest_llmbench.engines.llama_cpp.library import assign, device_name, instruction_sets
from pytest_llmbench.errors import EngineNotInstalledError, LoadError
from tests.engines.llama_cpp_model import open_engine, run

pytestmark = pytest.mark.engine("llama-cpp")


def test_warnings_of_llama_cpp_are_python_s(caplog: pytest.LogCaptureFixture) -> None:
    engine, _ = open_engine(context=2048)
    engine.free()
    warned = [record for record in caplog.records if record.name == "llama.cpp"]
    assert any("training context overflow" in record.getMessage() for record in warned)
    assert {record.levelname for record in warned} == {"WARNING"}


def test_nothing_is_printed_and_nothing_said_without_a_cause(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    engine, _ = open_engine()
    run(engine)
    engine.free()
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_messages_that_come_in_pieces_are_put_together(caplog: pytest.LogCaptureFixture) -> None:
    engine, _ = open_engine()
    log = engine._log
    assert log is not None
    for level, text in ((3, b"one "), (5, b"warning\nan"), (5, b"other\n"), (2, b"fine\n")):
        log._take(level, text, None)
    engine.free()
    assert [record.getMessage() for record in caplog.records] == ["one warning", "another"]


def test_an_absent_library_names_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(
        EngineNotInstalledError, match=r"pip install 'pytest-llmbench\[llama-cpp\]'"
    ):
        create_engine("llama-cpp").start()


def test_an_old_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import llama_cpp

    monkeypatch.delattr(llama_cpp, "LLAMA_LOAD_MODE_MMAP")
    with pytest.raises(EngineNotInstalledError, match=r"0\.3\.36 or newer, but .* pip install -U"):
        create_engine("llama-cpp").start()


def test_a_field_that_a_struct_does_not_have_is_not_set_in_silence() -> None:
    import llama_cpp

    struct = llama_cpp.llama_model_default_params()
    assign(struct, n_gpu_layers=3)
    assert struct.n_gpu_layers == 3
    with pytest.raises(LoadError, match=r"llama_model_params .* has no field 'use_mmap'"):
        assign(struct, use_mmap=True)


def test_the_survey_names_devices_and_instruction_sets() -> None:
    found = survey()
    assert found.devices[0] == "cpu"
    assert found.notes[0].startswith("llama.cpp uses CPU: ")
    assert "=" not in found.notes[0]


def test_instruction_sets_that_are_off_are_left_out() -> None:
    class Fake:
        @staticmethod
        def llama_print_system_info() -> bytes:
            return b"CUDA : ARCHS = 900 | CPU : SSE3 = 1 | AVX2 = 0 | FMA = 1 | "

    assert instruction_sets(Fake) == "CUDA: ARCHS=900 CPU: SSE3 FMA"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("CUDA0", "cuda:0"),
        ("CUDA12", "cuda:12"),
        ("Metal", "metal"),
        ("MTL0", "metal"),
        ("MTL0_Mapped", "metal"),
        ("Vulkan1", "vulkan:1"),
        ("CPU_REPACK", "cpu"),
    ],
)
def test_devices_are_named_as_elsewhere(theirs: str, ours: str) -> None:
    assert device_name(theirs) == ours


def test_importing_the_engine_imports_no_library() -> None:
    code = (
        "import sys, pytest_llmbench.engines.llama_cpp\n"
        "assert not {'llama_cpp', 'jinja2', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
