"""Every engine keeps the public contract, each through a real worker and with a real model."""

# ruff: noqa: RUF012 — a contract's keys are read, never changed

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_llmbench.testing import EngineContract
from pytest_llmbench.testing.memory import MemoryPromises
from tests.engines.large_model import write_large_model
from tests.engines.ollama_server import ollama_server
from tests.engines.test_real_servers import served
from tests.support import DEMO_MODEL, demo_form

ONE_THREAD = {"device": "cpu", "threads": 1}


class DemoContract(EngineContract):
    """What the demo model is, in every form of it."""

    has_chat_template = True
    base_dir = Path(DEMO_MODEL).parent
    answer_tokens = 32
    load_timeout_s = 240.0
    round_timeout_s = 120.0


class TestScripted(EngineContract):
    engine = "scripted"
    options = {"doubt": 0.1, "context_tokens": 2000, "load_bytes": 2**27, "model_bytes": 2**27}
    broken_options = {"fail_load": "the script was told to fail; remove fail_load"}
    samples = False
    counts_end_token = False


class TestScriptedWork(EngineContract):
    engine = "scripted"
    options = {"doubt": 0.1, "work": 20, "context_tokens": 2000}
    samples = False
    counts_end_token = False


@pytest.mark.engine("transformers")
class TestTransformers(DemoContract):
    engine = "transformers"
    options = {"model": "model", "dtype": "float32", **ONE_THREAD}
    broken_options = {"model": "answers.toml"}


@pytest.mark.engine("bitsandbytes")
class TestTransformersInt8(DemoContract):
    engine = "transformers"
    options = {"model": "model", "quantization": "bnb-int8", "dtype": "float32", **ONE_THREAD}


@pytest.mark.engine("bitsandbytes")
class TestTransformersNf4(DemoContract):
    engine = "transformers"
    options = {"model": "model", "quantization": "bnb-nf4", "dtype": "float32", **ONE_THREAD}


@pytest.mark.engine("peft")
class TestTransformersLora(DemoContract):
    engine = "transformers"
    options = {"model": "model", "adapter": "lora", "dtype": "float32", **ONE_THREAD}


@pytest.mark.engine("transformers")
class TestTransformersRandom(DemoContract):
    engine = "transformers"
    options = {"model": "model", "weights": "random", "dtype": "float32", **ONE_THREAD}
    ends_by_itself = False


@pytest.mark.engine("llama-cpp")
class TestLlamaCpp(DemoContract):
    engine = "llama-cpp"
    broken_options = {"model": "answers.toml"}

    @pytest.fixture
    def options(self) -> dict[str, object]:
        return {"model": demo_form("f16.gguf"), **ONE_THREAD}


@pytest.mark.engine("llama-cpp")
class TestLlamaCppQ4(DemoContract):
    engine = "llama-cpp"

    @pytest.fixture
    def options(self) -> dict[str, object]:
        return {"model": demo_form("q4_0.gguf"), **ONE_THREAD}


@pytest.mark.engine("mlx")
class TestMlx(DemoContract):
    engine = "mlx"
    broken_options = {"model": "answers.toml"}

    @pytest.fixture
    def options(self) -> dict[str, object]:
        return {"model": demo_form("mlx-f16"), "device": "cpu"}


@pytest.mark.engine("mlx")
class TestMlxFourBit(DemoContract):
    engine = "mlx"

    @pytest.fixture
    def options(self) -> dict[str, object]:
        return {"model": demo_form("mlx-4bit"), "device": "cpu"}


@pytest.mark.engine("mlx")
class TestMlxOfHuggingFace(DemoContract):
    engine = "mlx"
    options = {"model": "model", "device": "cpu"}


class Served(DemoContract):
    """A real server on loopback, which the engine starts and ends."""

    engine = "openai"
    kind = ""

    @pytest.fixture
    def options(self) -> dict[str, object]:
        return served(self.kind)


@pytest.mark.engine("openai")
@pytest.mark.engine("llama-cpp")
class TestServedByLlamaCpp(Served):
    kind = "llama-cpp-python"
    counts_end_token = False
    context_tokens = 1024


@pytest.mark.engine("openai")
@pytest.mark.engine("mlx")
class TestServedByMlx(Served):
    kind = "mlx-lm"


@pytest.mark.engine("openai")
@pytest.mark.engine("transformers")
class TestServedByTransformers(Served):
    kind = "transformers"


@pytest.fixture(scope="module")
def ollama() -> Iterator[str]:
    """The address of a server of ours that follows Ollama's API, its simulated time passing."""
    with ollama_server(real=True, prefill_ms=0.3) as url:
        yield url


@pytest.mark.engine("ollama")
class TestOllama(EngineContract):
    engine = "ollama"
    broken_options = {"model": "absent", "base_url": "http://127.0.0.1:9"}
    has_chat_template = True
    fixed_length = False

    @pytest.fixture
    def options(self, ollama: str) -> dict[str, object]:
        return {"model": "demo", "base_url": ollama, "context": 2048}


@pytest.fixture(scope="module")
def large_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose weights are large enough to be missed: Hugging Face's form and GGUF."""
    return write_large_model(tmp_path_factory.mktemp("large"))


class LargeModel(MemoryPromises):
    """The promise that a model of 3.6 million parameters is too small for."""

    form = "model"

    @pytest.fixture
    def options(self, large_model: Path) -> dict[str, object]:
        threads = {} if self.engine == "mlx" else {"threads": 1}
        return {"model": str(large_model / self.form), "device": "cpu", **threads}


@pytest.mark.engine("transformers")
class TestTransformersFrees(LargeModel):
    engine = "transformers"


@pytest.mark.engine("llama-cpp")
class TestLlamaCppFrees(LargeModel):
    engine = "llama-cpp"
    form = "f16.gguf"


@pytest.mark.engine("mlx")
class TestMlxFrees(LargeModel):
    engine = "mlx"


def test_every_engine_is_asked() -> None:
    from pytest_llmbench.engines.registry import BUILT_IN

    asked = {getattr(value, "engine", None) for value in vars(sys.modules[__name__]).values()}
    assert set(BUILT_IN) <= asked
