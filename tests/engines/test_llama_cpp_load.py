"""What the llama-cpp engine loads and refuses: files, adapters, keys and devices."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pytest_llmbench.engines.llama_cpp import LlamaCppOptions, facts, model, survey
from pytest_llmbench.errors import LoadError
from tests.engines.llama_cpp_model import LINUX, answer, demo_scripts, edited, open_engine, run
from tests.support import DEMO_MODEL, ROOT, demo_form

pytestmark = pytest.mark.engine("llama-cpp")


def test_a_model_in_several_files_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gguf

    forms = demo_scripts()
    parts = functools.partial(gguf.GGUFWriter, split_max_tensors=20)
    monkeypatch.setattr(gguf, "GGUFWriter", parts)
    forms.convert(Path(DEMO_MODEL), tmp_path / "demo.gguf")
    first = tmp_path / "demo-00001-of-00003.gguf"
    engine, found = open_engine(model=str(first))
    assert run(engine)[0].text == "Paris is the capital of France."
    engine.free()
    with (tmp_path / "demo-00003-of-00003.gguf").open("r+b") as file:
        file.seek(-10, 2)
        file.write(b"\x01\x02")
    engine, changed = open_engine(model=str(first))
    engine.free()
    assert changed.identity["weights"] != found.identity["weights"]


def lora(path: Path, seed: int = 1) -> str:
    """An adapter with random weights for two matrices of the demo model."""
    import gguf

    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    for name in ("blk.0.attn_q.weight", "blk.1.ffn_up.weight"):
        rows = 512 if "ffn" in name else 256
        a, b = random.normal(size=(4, 256)), random.normal(size=(rows, 4))
        writer.add_tensor(f"{name}.lora_a", a.astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", b.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(path)


def test_an_adapter_changes_the_answers_and_the_identity(tmp_path: Path) -> None:
    adapter = lora(tmp_path / "lora.gguf")
    alone = answer()
    assert answer(adapter=adapter, adapter_scale=0.0) == alone
    assert answer(adapter=adapter) != alone
    identities = []
    for options in ({}, {"adapter": adapter}, {"adapter": adapter, "adapter_scale": 0.5}):
        engine, found = open_engine(**options)
        engine.free()
        identities.append(found.identity.get("adapter"))
    assert identities[0] is None
    assert len(set(identities)) == 3


def test_fresh_buffers_have_the_adapter_too(tmp_path: Path) -> None:
    engine, _ = open_engine(adapter=lora(tmp_path / "lora.gguf"))
    before = run(engine)[0].text
    for _ in range(3):
        engine.reallocate()
        assert run(engine)[0].text == before
    engine.free()


def test_without_room_for_fresh_buffers_the_model_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    import llama_cpp

    engine, _ = open_engine()
    monkeypatch.setattr(llama_cpp, "llama_init_from_model", lambda *_: None)
    with pytest.raises(
        LoadError, match=r"a context of \d+ tokens could not be made .* lower context"
    ):
        engine.reallocate()
    with pytest.raises(AssertionError, match="load comes first"):
        run(engine)


def test_a_model_is_no_adapter() -> None:
    with pytest.raises(LoadError, match=r"adapter = .*f16.gguf' could not be loaded: .*adapter"):
        open_engine(adapter=demo_form("f16.gguf"))


def test_what_is_no_whole_model_says_so(tmp_path: Path) -> None:
    whole = Path(demo_form("f16.gguf")).read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[:1_000_000])
    with pytest.raises(LoadError, match=r"cut.gguf' could not be loaded: .* is corrupted"):
        open_engine(model=str(cut))
    cut.write_bytes(whole[:100])
    with pytest.raises(LoadError, match=r"could not be loaded: failed to read .*again"):
        open_engine(model=str(cut))
    with pytest.raises(LoadError, match="could not be loaded: unknown model architecture: 'blama'"):
        open_engine(model=edited(tmp_path, b"llama", b"blama"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "none.gguf"}, "none.gguf does not exist; write the path of a .gguf file"),
        ({"model": "tests"}, "tests is a folder"),
        ({"model": "README.md"}, "README.md is no GGUF file"),
        ({"flash_attention": False, "kv_type_v": "q4_0"}, "V cache requires flash_attn"),
        ({"chat_template": "none.jinja"}, "chat_template = 'none.jinja' can't be read"),
    ],
)
def test_what_can_not_be_loaded_says_why(options: dict[str, object], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        open_engine(**options)


OUT_OF_MEMORY = """
import resource
from pathlib import Path
from pytest_llmbench.engines import create_engine
engine = create_engine("llama-cpp")
engine.start()
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
engine.load({{"model": {model!r}, "threads": 1, "context": 4_000_000}}, Path())
"""


@pytest.mark.skipif(not LINUX, reason="needs a limit on the address space")
def test_a_cache_that_does_not_fit_says_so() -> None:
    script = OUT_OF_MEMORY.format(model=demo_form("f16.gguf"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert "LoadError: a context of 4000000 tokens could not be made" in last
    assert "attempted to allocate" in last
    assert "lower context" in last


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "auto", "gpu_layers": 2}, "gpu_layers = 2 was asked for, .*sees no GPU"),
        ({"device": "auto", "gpu_layers": "all"}, "gpu_layers = 'all' was asked for"),
        ({"device": "cuda:7"}, "'cuda:7' was asked for, but llama.cpp sees cpu"),
        ({"device": "nonsense"}, "'nonsense' was asked for, but llama.cpp sees cpu"),
    ],
)
def test_a_gpu_that_is_not_there_is_not_replaced_by_the_cpu(
    options: dict[str, object], message: str
) -> None:
    if len(survey().devices) > 1 and options["device"] == "auto":
        pytest.skip("llama.cpp sees a GPU")
    with pytest.raises(LoadError, match=message):
        open_engine(**options)


SEES_TWO = {"cuda:0": 100, "cuda:1": 101}


@pytest.mark.parametrize(
    ("keys", "layers", "devices"),
    [
        ({}, -1, None),
        ({"gpu_layers": "all"}, -1, None),
        ({"gpu_layers": 7, "device": "cuda:1"}, 7, [101, None]),
        ({"device": "cuda"}, -1, [100, None]),
        ({"device": "cpu"}, 0, [None]),
    ],
)
def test_gpus_are_chosen_by_name(
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, object],
    layers: int,
    devices: list[int | None] | None,
) -> None:
    monkeypatch.setattr(model, "gpus", lambda _: SEES_TWO)
    loaded = object.__new__(model.LoadedModel)
    loaded.llama = None
    loaded.asked = msgspec.convert({"model": "m.gguf", **keys}, LlamaCppOptions)
    offloaded, chosen = loaded._offload()
    assert offloaded == layers
    assert (None if chosen is None else list(chosen)) == devices
    loaded.asked = LlamaCppOptions(model="m.gguf", device="cuda:2")
    with pytest.raises(LoadError, match=r"llama.cpp sees cpu, cuda:0, cuda:1; choose"):
        loaded._offload()


@pytest.mark.parametrize(
    ("lines", "device"),
    [
        (["offloaded 33/33 layers to GPU", "CPU_Mapped 70.31", "CUDA1 3577.56"], "cuda:1"),
        (["offloaded 10/33 layers to GPU", "CPU_Mapped 3000.00", "CUDA0 577.00"], "cuda:0"),
        (["offloaded 17/17 layers to GPU", "MTL0_Mapped 900.00", "CPU_Mapped 10.00"], "metal"),
        (["offloaded 0/33 layers to GPU", "CUDA_Host 3577.56"], "cpu"),
        (["CPU_Mapped 6.89"], "cpu"),
    ],
)
def test_the_device_is_where_llama_cpp_put_the_weights(lines: list[str], device: str) -> None:
    loaded = object.__new__(model.LoadedModel)
    said = [re.sub(r"^(\w+) ([\d.]+)$", r"\1 model buffer size = \2 MiB", line) for line in lines]
    loaded.log_lines = tuple(f"load_tensors: {line}" for line in said)
    assert facts._device(loaded) == device


def test_threads_are_those_of_physical_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model.default_threads() >= 1
    monkeypatch.setattr(model.psutil, "cpu_count", lambda logical: 64)
    assert model.default_threads() == (len(os.sched_getaffinity(0)) if LINUX else os.cpu_count())
    monkeypatch.setattr(model.psutil, "cpu_count", lambda logical: None)
    assert model.default_threads() == 1


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"model": "none.gguf"}, ("model", "does not exist")),
        ({"model": "tests"}, ("model", "is a folder")),
        ({"model": "README.md"}, ("model", "is no GGUF file: it begins with")),
        ({"adapter": "none.gguf"}, ("adapter", "does not exist")),
        ({"chat_template": "none.jinja"}, ("chat_template", "does not exist")),
        ({"device": "cpu", "gpu_layers": 3}, ("gpu_layers", "holds no GPU layers")),
        ({"adapter_scale": 0.5}, ("adapter_scale", "there is no adapter to scale")),
        ({"flash_attention": False, "kv_type_v": "q8_0"}, ("kv_type_v", "need flash attention")),
        ({"flash_attention": False, "kv_type_k": "q8_0"}, None),
        ({"device": "cpu", "gpu_layers": 0}, None),
        ({}, None),
    ],
)
def test_wrong_keys_are_found_without_the_engine(
    keys: dict[str, object], problem: tuple[str, str] | None
) -> None:
    found = msgspec.convert({"model": demo_form("f16.gguf"), **keys}, LlamaCppOptions).problem(ROOT)
    assert (found is None) == (problem is None)
    if problem is not None:
        assert found is not None
        assert found[0] == problem[0]
        assert problem[1] in found[1]


@pytest.mark.parametrize(
    "keys",
    [{"gpu_layers": "some"}, {"gpu_layers": -1}, {"device": "CUDA0"}, {"kv_type_k": "q3"}],
)
def test_wrong_values_are_no_options(keys: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"model": "m.gguf", **keys}, LlamaCppOptions)
