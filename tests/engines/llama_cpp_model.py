"""What the tests of the llama-cpp engine share: the demo model, loaded, asked and edited."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines import Generation, Stamps, create_engine
from pytest_llmbench.engines.llama_cpp import LlamaCppEngine, LlamaCppOptions
from tests.support import ROOT, demo_form

LINUX = sys.platform == "linux"
GREEDY = Parameters(
    max_new_tokens=32, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
FIXED = msgspec.structs.replace(GREEDY, length="fixed")
QUESTION = (Message(role="user", content="What is the capital of France?"),)
LONG = (Message(role="user", content="Tell me a story about a fox and a hen. " * 12),)


def open_engine(**options: object) -> tuple[LlamaCppEngine, ModelFacts]:
    engine = create_engine("llama-cpp")
    assert isinstance(engine, LlamaCppEngine)
    engine.start()
    asked = {"model": demo_form("f16.gguf"), "device": "cpu", "threads": 1, **options}
    checked = msgspec.to_builtins(msgspec.convert(asked, LlamaCppOptions))
    return engine, engine.load(checked, ROOT)


def run(
    engine: LlamaCppEngine,
    parameters: Parameters = GREEDY,
    messages: tuple[Message, ...] = QUESTION,
) -> tuple[Generation, Stamps]:
    ticks = itertools.count(0, 1_000)
    stamps = Stamps(lambda: next(ticks))
    return engine.generate(engine.encode(messages, parameters), parameters, stamps), stamps


def answer(**options: object) -> list[int]:
    """The greedy tokens of a model that is loaded for this one question."""
    engine, _ = open_engine(**options)
    ids = run(engine, FIXED)[1].ids
    engine.free()
    return ids


def demo_scripts() -> ModuleType:
    path = ROOT / "examples" / "demo_model" / "gguf_forms.py"
    spec = importlib.util.spec_from_file_location("gguf_forms", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def edited(tmp_path: Path, old: bytes, new: bytes) -> str:
    """The model with *old* in its file replaced by as many bytes."""
    assert len(old) == len(new)
    path = tmp_path / "edited.gguf"
    path.write_bytes(Path(demo_form("f16.gguf")).read_bytes().replace(old, new, 1))
    return str(path)
