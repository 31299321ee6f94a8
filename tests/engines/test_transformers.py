"""The transformers engine: what it loads, how it generates, what it refuses."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines import Stamps, create_engine
from pytest_llmbench.engines.transformers import TransformersEngine, TransformersOptions
from pytest_llmbench.errors import CaseError, EngineNotInstalledError, LoadError
from tests.support import DEMO_MODEL, ROOT

pytestmark = pytest.mark.engine("transformers")

GREEDY = Parameters(
    max_new_tokens=32, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
QUESTION = (Message(role="user", content="What is the capital of France?"),)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of torch in this process would spin beside the workers of other tests."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def loaded(**options: object) -> TransformersEngine:
    engine = create_engine("transformers")
    assert isinstance(engine, TransformersEngine)
    engine.start()
    asked = {"model": DEMO_MODEL, "device": "cpu", "threads": 1, **options}
    engine.load(msgspec.to_builtins(msgspec.convert(asked, TransformersOptions)), ROOT)
    return engine


@pytest.fixture(scope="module")
def engine() -> TransformersEngine:
    return loaded(dtype="float32")


def run(engine: TransformersEngine, parameters: Parameters = GREEDY) -> tuple[str, Stamps]:
    ticks = itertools.count(0, 1_000)
    stamps = Stamps(lambda: next(ticks))
    return engine.generate(engine.encode(QUESTION, parameters), parameters, stamps).text, stamps


@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2), ("float16", 2)])
def test_precision_is_what_was_asked_for(dtype: str, size: int) -> None:
    engine = create_engine("transformers")
    engine.start()
    facts = engine.load({"model": DEMO_MODEL, "device": "cpu", "dtype": dtype}, ROOT)
    assert facts.identity["dtype"] == dtype
    assert facts.device == "cpu"
    assert facts.context_tokens is not None
    assert facts.model_bytes is not None
    parameters = facts.model_bytes / size
    assert 3e6 < parameters < 6e6


def test_auto_keeps_the_checkpoint_s_precision() -> None:
    engine = create_engine("transformers")
    engine.start()
    assert engine.load({"model": DEMO_MODEL, "device": "cpu"}, ROOT).identity["dtype"] == "float16"


def test_the_answer_is_right(engine: TransformersEngine) -> None:
    assert "Paris" in run(engine)[0]


def test_what_the_checkpoint_says_of_sampling_is_overridden(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, folder)
    path = folder / "generation_config.json"
    theirs = json.loads(path.read_text())
    theirs |= {"do_sample": True, "temperature": 2.0, "top_k": 500, "repetition_penalty": 3.0}
    path.write_text(json.dumps(theirs))
    assert run(loaded(model=str(folder), dtype="float32"))[0] == run(loaded(dtype="float32"))[0]


def test_seeds_and_their_parameters_reach_sampling(engine: TransformersEngine) -> None:
    def sampled(seed: int, **change: object) -> list[int]:
        changed = msgspec.structs.replace(
            GREEDY, temperature=3.0, seed=seed, length="fixed", **change
        )
        return run(engine, changed)[1].ids

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)
    greedy = run(engine, msgspec.structs.replace(GREEDY, length="fixed"))[1].ids
    assert sampled(1, top_k=1) == greedy
    assert sampled(1, top_p=1e-9) == greedy


def test_chat_templates_are_applied_unless_told_otherwise(engine: TransformersEngine) -> None:
    auto = engine.encode(QUESTION, GREEDY).tokens
    assert engine.encode(QUESTION, msgspec.structs.replace(GREEDY, chat=True)).tokens == auto
    assert engine.encode(QUESTION, msgspec.structs.replace(GREEDY, chat=False)).tokens < auto


def test_a_template_that_is_not_there_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, folder)
    (folder / "chat_template.jinja").unlink()
    bare = loaded(model=str(folder))
    assert bare.encode(QUESTION, GREEDY).tokens > 0
    with pytest.raises(CaseError, match="no chat template; leave chat out"):
        bare.encode(QUESTION, msgspec.structs.replace(GREEDY, chat=True))


def test_fixed_length_goes_on_past_the_end_and_bans_nothing(engine: TransformersEngine) -> None:
    natural = run(engine)[1].ids
    fixed = run(engine, msgspec.structs.replace(GREEDY, length="fixed"))[1].ids
    assert natural[-1] in engine._weights.decoding.ends
    assert len(natural) < len(fixed) == GREEDY.max_new_tokens
    assert fixed[: len(natural)] == natural


@pytest.mark.parametrize("parameters", [GREEDY, msgspec.structs.replace(GREEDY, length="fixed")])
def test_stamps_by_scores_are_those_by_stream(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, parameters: Parameters
) -> None:
    """The way that MPS is clocked gives the same tokens, one stamp each, on any device."""
    from pytest_llmbench.engines.transformers import engine as module
    from pytest_llmbench.engines.transformers.stamps import ScoredStamps

    streamed = run(engine, parameters)[1]
    monkeypatch.setattr(module, "watch", lambda stamps, torch, _: ScoredStamps(stamps, torch))
    scored = run(engine, parameters)[1]
    assert scored.ids == streamed.ids
    assert len(scored.ns) == len(streamed.ns)
    assert scored.ns == sorted(scored.ns)


def test_the_weights_and_not_the_folder_make_the_identity(tmp_path: Path) -> None:
    from pytest_llmbench.engines.fingerprint import folder_fingerprint

    folder = tmp_path / "renamed"
    shutil.copytree(DEMO_MODEL, folder)
    before = folder_fingerprint(folder)
    assert before == folder_fingerprint(Path(DEMO_MODEL))
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-10, 2)
        file.write(b"\x01")
    assert folder_fingerprint(folder) != before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "nobody/nothing"}, "neither a folder .* nor a model that the hub gave"),
        ({"model": "tests"}, "model = 'tests' can't be used: .*tests has no config.json; name"),
        ({"tokenizer": "tests"}, "tokenizer = 'tests' could not be loaded: "),
        ({"device": "cuda"}, 'sees no cuda device; write device = "cpu"'),
        ({"device": "mps"}, "sees no mps device"),
        ({"attention": "nonsense"}, "could not be loaded: .*nonsense"),
    ],
)
def test_what_can_not_be_loaded_says_why(options: dict[str, str], message: str) -> None:
    import torch

    if options.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(LoadError, match=message):
        loaded(**options)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "model.safetensors",
            None,
            r"SafetensorError: .*not fully covered\. model.safetensors is damaged; copy",
        ),
        ("model.safetensors", "version https://git-lfs.github.com/spec/v1\n", "type: git lfs pull"),
        ("config.json", None, r"\. config.json is damaged; copy or download it again"),
        ("config.json", "[]", "could not be loaded: .*Error: "),
        ("tokenizer.json", None, "tokenizer.json is damaged"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, file: str, text: str | None, message: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, folder)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2] if text is None else text.encode())
    with pytest.raises(LoadError, match=message) as raised:
        loaded(model=str(folder))
    assert str(raised.value).startswith(f"model = {str(folder)!r} could not be loaded: ")


@pytest.mark.parametrize(
    ("zipped", "share", "message"),
    [
        (True, 0.5, r"\. pytorch_model.bin is damaged; copy"),
        (False, 0.5, r"\. Its weights can't be read; copy or download them again"),
        (True, 1.0, None),
        (False, 1.0, None),
    ],
)
def test_weights_of_torch(tmp_path: Path, zipped: bool, share: float, message: str | None) -> None:
    import torch
    from safetensors.torch import load_file

    folder = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, folder)
    weights, bin_ = folder / "model.safetensors", folder / "pytorch_model.bin"
    torch.save(load_file(weights), bin_, _use_new_zipfile_serialization=zipped)
    weights.unlink()
    whole = bin_.read_bytes()
    bin_.write_bytes(whole[: int(len(whole) * share)])
    if message is None:
        assert "Paris" in run(loaded(model=str(folder)))[0]
    else:
        with pytest.raises(LoadError, match=message):
            loaded(model=str(folder))


def test_weights_that_would_run_code_are_refused(tmp_path: Path) -> None:
    import torch

    folder = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, folder)
    (folder / "model.safetensors").unlink()
    torch.save({"lm_head": folder}, folder / "pytorch_model.bin")
    with pytest.raises(LoadError, match=r"Weights only load failed.*Its weights can't be read"):
        loaded(model=str(folder))


def test_a_model_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, folder)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(LoadError, match="has no tokenizer; save one there, or write tokenizer = "):
        loaded(model=str(folder))
    assert "Paris" in run(loaded(model=str(folder), tokenizer=DEMO_MODEL))[0]


MLX = {"bits": 4, "group_size": 64}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no config.json; name the folder that the model was saved to"),
        (
            {"adapter_config.json": {"base_model_name_or_path": "a/b"}},
            "adapter = '{folder}' beside model = the one that it was trained on ('a/b')",
        ),
        ({"adapter_config.json": "{"}, "trained on (an unnamed model)"),
        ({"adapter_config.json": {}, "config.json": {}}, "holds a model and an adapter"),
        (
            {"b.gguf": "GGUF", "a.gguf": "GGUF"},
            "write engine = \"llama-cpp\" and model = '{folder}/a.gguf'",
        ),
        ({"config.json": {"quantization": MLX}}, "were quantized by MLX"),
        (
            {"config.json": {"quantization": MLX, "quantization_config": MLX}},
            'write engine = "mlx"',
        ),
        ({"config.json": {"quantization": {**MLX, "mode": "affine"}}}, "quantized by MLX"),
    ],
)
def test_a_folder_of_another_kind_is_named(
    tmp_path: Path, files: dict[str, object], message: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text if isinstance(text, str) else json.dumps(text))
    found = TransformersOptions(model=str(tmp_path)).problem(ROOT)
    assert found is not None
    assert found[0] == "model"
    assert message.format(folder=tmp_path) in found[1]
    with pytest.raises(LoadError) as raised:
        loaded(model=str(tmp_path))
    assert str(raised.value) == f"model = {str(tmp_path)!r} can't be used: {found[1]}"


@pytest.mark.parametrize(
    "quantization_config",
    [{"quant_method": "gptq", "bits": 4, "group_size": 128}, {**MLX, "quant_method": "awq"}],
)
def test_a_quantization_with_a_method_is_not_mlx_s(
    tmp_path: Path, quantization_config: dict[str, object]
) -> None:
    config = {"quantization": MLX, "quantization_config": quantization_config}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert TransformersOptions(model=str(tmp_path)).problem(ROOT) is None


def test_what_mlx_quantized_is_refused_from_the_hub_too(tmp_path: Path) -> None:
    """No folder is looked at for a hub name; what its config says is."""
    from pytest_llmbench.engines.transformers.libraries import import_libraries
    from pytest_llmbench.engines.transformers.weights import Loading

    config = json.loads((Path(DEMO_MODEL) / "config.json").read_text())
    both = {"quantization": MLX, "quantization_config": MLX}
    (tmp_path / "config.json").write_text(json.dumps({**config, **both}))
    asked = TransformersOptions(model="owner/name-4bit")
    with pytest.raises(LoadError, match="'owner/name-4bit' were quantized by MLX"):
        Loading(import_libraries(), asked, source=str(tmp_path), base_dir=tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"GGUF\x03\x00", 'GGUF file, not a folder; write engine = "llama-cpp"'), (b"{}", "correct")],
)
def test_a_file_as_a_model(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "it").write_bytes(content)
    found = TransformersOptions(model="it").problem(tmp_path)
    assert found is not None
    assert found[0] == "model"
    assert message in found[1]
    with pytest.raises(LoadError, match=message):
        loaded(model=str(tmp_path / "it"))


@pytest.mark.parametrize(
    ("exc", "line"),
    [
        (
            ValueError("One of these:\n  (1) a file or\n  (2) a name.\nMore."),
            "One of these: (1) a file or (2) a name",
        ),
        (ValueError("Nothing there.\nRead the manual."), "Nothing there"),
        (OSError(""), "OSError"),
        (KeyError("llama9"), "KeyError: 'llama9'"),
        (RuntimeError("a " * 400), "a " * 150 + " …"),
    ],
)
def test_what_a_library_says_becomes_one_line(exc: Exception, line: str) -> None:
    from pytest_llmbench.engines.transformers.refusals import said

    assert said(exc) == line


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        (
            "raise ImportError('libcudart.so.12: cannot open shared object file')",
            LoadError,
            "the key x needs a_library, which is installed, but can't be imported: ImportError: l",
        ),
        ("raise OSError('libtorch.so')", LoadError, "can't be imported: OSError: libtorch.so"),
        ("import msgspec.gone", LoadError, "imported: ModuleNotFoundError: No module named 'msg"),
        (
            "import no_such_library.part",
            EngineNotInstalledError,
            "the key x needs no_such_library, which is not installed; type: go",
        ),
    ],
)
def test_a_broken_library_is_no_missing_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    kind: type[Exception],
    message: str,
) -> None:
    from pytest_llmbench.engines.transformers.libraries import _imported

    (tmp_path / "a_library.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(kind) as raised:
        _imported("a_library", "the key x", "go")
    assert message in str(raised.value)
    assert str(raised.value).endswith("type: go")


def test_a_library_s_own_deprecated_calls_are_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    from pytest_llmbench.engines.transformers.libraries import _imported

    kinds = ("DeprecationWarning", "FutureWarning", "UserWarning")
    lines = "".join(f"warnings.warn({kind!r}, {kind})\n" for kind in kinds)
    (tmp_path / "warning_library.py").write_text(f"import warnings\n{lines}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("warnings.filters", [])
    _imported("warning_library", "the key x", "go")
    assert [str(seen.message) for seen in recwarn] == ["FutureWarning", "UserWarning"]


def test_an_absent_library_names_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(
        EngineNotInstalledError, match=r"pip install 'pytest-llmbench\[transformers\]'"
    ):
        create_engine("transformers").start()


def test_code_of_the_model_runs_only_when_the_variant_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(DEMO_MODEL, folder)
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "own.Own", "AutoConfig": "own.OwnConfig"}
    config["model_type"] = "own"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(LoadError):
        loaded(model=str(folder))
    assert not (tmp_path / "ran").exists()


def test_free_gives_the_model_back(engine: TransformersEngine) -> None:
    import gc
    import weakref

    other = loaded()
    model = weakref.ref(other._weights.model)
    other.free()
    gc.collect()
    assert model() is None


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("./none", True),
        ("/none/at/all", True),
        ("a/b/c", True),
        ("owner/name", False),
        ("gpt2", False),
        ("tests/none", True),
        (DEMO_MODEL, False),
    ],
)
def test_a_name_that_can_only_be_a_path_is_checked_without_torch(model: str, problem: bool) -> None:
    found = TransformersOptions(model=model).problem(ROOT)
    assert (found is not None) == problem


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_cuda(dtype: str) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    text, stamps = run(loaded(device="cuda", dtype=dtype))
    assert "Paris" in text
    assert stamps.ns == sorted(stamps.ns)
    assert torch.cuda.max_memory_allocated() > 0
