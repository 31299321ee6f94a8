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
        ({"model": "tests"}, "model = 'tests' could not be loaded"),
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
