"""Weights quantized by bitsandbytes: real, counted, named, and nothing fetched for it."""

from __future__ import annotations

import functools
import http.server
import json
import logging
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from pytest_llmbench.config import check_variants, load_config
from pytest_llmbench.engines import create_engine, engine_options
from pytest_llmbench.engines.transformers import TransformersOptions
from pytest_llmbench.errors import ConfigError, EngineNotInstalledError, LoadError
from tests.engines.workers import DEMO_LORA, answers, config_folder, copied, started, texts
from tests.support import DEMO_MODEL, ROOT

pytestmark = pytest.mark.engine("bitsandbytes")

CAPITAL = ("What is the capital of France?", "What is the capital of Japan?")

KEPT = 2560 * 256 + (2 * 5 + 1) * 256
"""Numbers that stay as they are: the embedding, which the output is tied to, and the norms."""
BUFFERS = 2 * 32 * 4
"""Frequencies of the rotary embedding, in float32."""
LAYERS = [(256, 256), (128, 256), (128, 256), (256, 256), (512, 256), (512, 256), (256, 512)] * 5
"""Rows and columns of the 35 linear layers."""


def int8_bytes(element: int) -> int:
    """A byte a weight, and one float32 scale a row."""
    packed = sum(rows * columns + 4 * rows for rows, columns in LAYERS)
    return KEPT * element + BUFFERS + packed


def four_bit_bytes(element: int, *, double: bool) -> int:
    """Half a byte a weight and one scale for 64: float32, or a byte with scales of its own."""
    total = KEPT * element + BUFFERS
    for rows, columns in LAYERS:
        blocks = rows * columns // 64
        scales = blocks + 4 * -(-blocks // 256) + 4 * 256 + 4 if double else 4 * blocks
        total += rows * columns // 2 + 4 * 16 + scales
    return total


@pytest.mark.parametrize(
    ("keys", "identity", "size"),
    [
        (
            {"quantization": "bnb-int8", "dtype": "float16"},
            {"dtype": "float16", "int8_threshold": "6"},
            int8_bytes(2),
        ),
        (
            {"quantization": "bnb-int8", "dtype": "float32", "int8_threshold": 0.0},
            {"dtype": "float32", "int8_threshold": "0"},
            int8_bytes(4),
        ),
        (
            {"quantization": "bnb-nf4"},
            {"dtype": "float16", "compute_dtype": "float16", "double_quantization": "false"},
            four_bit_bytes(2, double=False),
        ),
        (
            {"quantization": "bnb-nf4", "dtype": "bfloat16", "double_quantization": True},
            {"dtype": "bfloat16", "compute_dtype": "bfloat16", "double_quantization": "true"},
            four_bit_bytes(2, double=True),
        ),
        (
            {"quantization": "bnb-fp4", "dtype": "float32", "compute_dtype": "bfloat16"},
            {"dtype": "float32", "compute_dtype": "bfloat16"},
            four_bit_bytes(4, double=False),
        ),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_what_was_asked_for_is_what_is_there(
    keys: dict[str, object], identity: dict[str, str], size: int
) -> None:
    facts, said = answers(CAPITAL, **keys)
    assert "Paris" in said[0]
    assert "Tokyo" in said[1]
    asked = {"quantization": keys["quantization"], **identity}
    assert asked.items() <= facts.identity.items()
    assert facts.settings["quantized_layers"] == "35 of 36 (not: lm_head)"
    assert facts.model_bytes == size


def test_two_loads_say_the_same_and_a_warning_of_every_call_is_told_once() -> None:
    with started(quantization="bnb-int8", dtype="float32") as worker:
        worker.load()
        said = texts(worker, CAPITAL)
        assert said == texts(worker, CAPITAL)
        casts = [warning for warning in worker.warnings if "inputs will be cast" in warning]
        assert len(casts) == 1
    assert answers(CAPITAL, quantization="bnb-int8", dtype="float32")[1] == said


@functools.cache
def packs_anew() -> bool:
    """Whether bitsandbytes uses its AVX512-BF16 kernel on this machine."""
    code = "import bitsandbytes as b; print(bool(b.functional.has_avx512bf16()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def test_the_kernel_that_decides_the_numbers_is_named() -> None:
    with started(quantization="bnb-nf4") as worker:
        facts = worker.load().facts
    expected = "AVX512-BF16" if packs_anew() else "dequantization"
    assert facts.identity["four_bit_kernel"] == expected
    assert ("computed_in" in facts.settings) == packs_anew()


def test_shapes_that_the_kernel_can_not_compute_are_refused_when_loading(tmp_path: Path) -> None:
    narrow = {"hidden_size": 48, "intermediate_size": 96, "num_attention_heads": 3}
    model = config_folder(
        tmp_path / "narrow", **narrow, head_dim=16, num_key_value_heads=3, num_hidden_layers=1
    )
    with started(model=model, weights="random", quantization="bnb-nf4") as worker:
        if packs_anew():
            with pytest.raises(
                LoadError, match=r"q_proj has 48 × 48 weights.*multiples of 32 × 64"
            ):
                worker.load()
        else:
            worker.load()
            assert texts(worker, ["a"])[0]
    facts, said = answers(["a"], model=model, weights="random", quantization="bnb-int8")
    assert said[0]
    assert facts.settings["quantized_layers"] == "7 of 8 (not: lm_head)"


def test_nothing_quantized_is_no_quantization(tmp_path: Path) -> None:
    model = config_folder(tmp_path / "flat", num_hidden_layers=0)
    with (
        started(model=model, weights="random", quantization="bnb-nf4") as worker,
        pytest.raises(LoadError, match=r"none of the layers of model .*; remove quantization"),
    ):
        worker.load()


SAVE = """
import sys, torch, transformers as t
config = t.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
model = t.AutoModelForCausalLM.from_pretrained(
    sys.argv[1], quantization_config=config, device_map={"": "cpu"}
)
model.save_pretrained(sys.argv[2])
t.AutoTokenizer.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
"""


@pytest.fixture(scope="module")
def quantized_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The demo model as bitsandbytes' nf4, saved."""
    folder = str(tmp_path_factory.mktemp("saved") / "nf4")
    subprocess.run([sys.executable, "-c", SAVE, DEMO_MODEL, folder], check=True)
    return folder


def test_a_checkpoint_that_is_quantized_loads_as_it_is(quantized_checkpoint: str) -> None:
    folder = quantized_checkpoint
    facts, said = answers(CAPITAL, model=folder)
    assert "Paris" in said[0]
    assert facts.identity["quantization"] == "bnb-nf4"
    assert facts.identity["compute_dtype"] == "float32"  # as the checkpoint says
    assert facts.model_bytes == four_bit_bytes(2, double=False)

    again = TransformersOptions(model=folder, quantization="bnb-int8")
    problem = again.problem(ROOT)
    assert problem is not None
    assert problem[0] == "quantization"
    assert "quantized already (by bitsandbytes)" in problem[1]
    for keys in ({"quantization": "bnb-int8"}, {"weights": "random"}):
        with started(model=folder, **keys) as worker, pytest.raises(LoadError, match="quantized"):
            worker.load()


def test_a_checkpoint_that_does_not_name_bitsandbytes(
    quantized_checkpoint: str, tmp_path: Path
) -> None:
    """As it was saved before there were other methods."""
    path = copied(quantized_checkpoint, tmp_path / "early") / "config.json"
    config = json.loads(path.read_text())
    del config["quantization_config"]["quant_method"]
    path.write_text(json.dumps(config))
    facts, said = answers(CAPITAL[:1], model=str(path.parent))
    assert "Paris" in said[0]
    assert facts.identity["quantization"] == "bnb-nf4"
    again = TransformersOptions(model=str(path.parent), quantization="bnb-int8").problem(ROOT)
    assert again is not None
    assert "quantized already (by bitsandbytes)" in again[1]


def test_another_library_s_quantization_is_named_too(tmp_path: Path) -> None:
    """What the identity takes from a config; loading it needs that library, and usually a GPU."""
    from pytest_llmbench.engines.transformers.weights import quantized_by

    theirs = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    config = types.SimpleNamespace(quantization_config=theirs)
    assert quantized_by(config) == {"quantization": "gptq (4 bits)"}
    model = config_folder(tmp_path / "awq", quantization_config={"quant_method": "awq"})
    problem = TransformersOptions(model=model, quantization="bnb-nf4").problem(ROOT)
    assert problem is not None
    assert "(by awq)" in problem[1]


KERNELS = """
import pathlib, huggingface_hub

def get_kernel(name, version):
    pathlib.Path(__file__).with_name("asked").touch()
    huggingface_hub.snapshot_download(name)
"""


class Hub(http.server.ThreadingHTTPServer):
    """A server that has nothing; *asked* is what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), NotFound)
        self.asked: list[str] = []


class NotFound(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Hub)
        self.server.asked.append(self.path)
        self.send_error(404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """A hub in reach, with nothing in its cache; what it was asked."""
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    yield server.asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("saved", [False, True], ids=["quantizing", "quantized already"])
def test_no_kernel_is_fetched_from_a_hub(
    quantized_checkpoint: str,
    hub: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    saved: bool,
) -> None:
    (tmp_path / "kernels.py").write_text(KERNELS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)  # which workers take over
    code = "import kernels; kernels.get_kernel('owner/name', 1)"
    subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert hub, "the kernel would be fetched"
    hub.clear()
    (tmp_path / "asked").unlink()
    keys = {"model": quantized_checkpoint} if saved else {"quantization": "bnb-nf4"}
    with started(**keys) as worker:
        worker.load()
        assert "Paris" in texts(worker, CAPITAL)[0]
    assert not hub
    assert (tmp_path / "asked").exists() == packs_anew()


@pytest.mark.engine("peft")
@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"adapter": DEMO_LORA},
        {"quantization": "bnb-nf4"},
        {"quantization": "bnb-int8", "dtype": "float16", "adapter": DEMO_LORA},
    ],
    ids=lambda keys: "-".join(keys) or "plain",
)
def test_importing_libraries_warns_of_nothing(keys: dict[str, object]) -> None:
    from pytest_llmbench.engines.transformers.libraries import _ADVICE

    with started(**keys) as worker:
        warnings = worker.load().warnings
    assert not [one for one in warnings if one.startswith(("DeprecationWarning", _ADVICE))]


def test_the_advice_alone_is_kept_out_of_the_warnings(caplog: pytest.LogCaptureFixture) -> None:
    from pytest_llmbench.engines.transformers.libraries import _without_advice

    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    advice = "Failed to load CPU gemm_4bit_forward from kernels-community: %s. Please make sure ..."
    with _without_advice():
        logger.warning(advice, "No module named 'kernels'")
        logger.warning("The installed version was compiled without support")
    assert caplog.messages == ["The installed version was compiled without support"]
    logger.warning(advice, "it")
    assert len(caplog.messages) == 2


def test_the_advice_is_what_bitsandbytes_logs() -> None:
    """In the installed version; where another says it otherwise, the advice is a warning again."""
    from pytest_llmbench.engines.transformers.libraries import _ADVICE

    files = metadata.files("bitsandbytes") or []
    source = next(f for f in files if f.as_posix().endswith("backends/cpu/ops.py"))
    assert _ADVICE in source.read_text()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('quantization = "int4"', 'quantization: write "bnb-int8", "bnb-nf4" or "bnb-fp4", found'),
        ("double_quantization = true", "double_quantization says nothing without quantization"),
        (
            'quantization = "bnb-int8"\ncompute_dtype = "float16"',
            'compute_dtype says nothing without quantization = "bnb-nf4" or "bnb-fp4"',
        ),
        (
            'quantization = "bnb-nf4"\nint8_threshold = 5.0',
            'int8_threshold says nothing without quantization = "bnb-int8"',
        ),
        ('quantization = "bnb-int8"\nint8_threshold = -1.0', "int8_threshold"),
    ],
)
def test_keys_that_contradict_each_other(tmp_path: Path, keys: str, message: str) -> None:
    path = tmp_path / "llmbench.toml"
    path.write_text(f'[variants.a]\nengine = "transformers"\nmodel = "gpt2"\n{keys}\n')
    with pytest.raises(ConfigError, match=r"llmbench\.toml: variants\.a") as raised:
        load_config(path, engine_options())
    assert message in str(raised.value)


def test_the_place_of_what_is_wrong_with_the_model(tmp_path: Path) -> None:
    config_folder(tmp_path / "awq", quantization_config={"quant_method": "awq"})
    path = tmp_path / "llmbench.toml"
    keys = 'model = "./awq"\nquantization = "bnb-nf4"'
    path.write_text(f'[variants.a]\nengine = "transformers"\n{keys}\n')
    config = load_config(path, engine_options())
    with pytest.raises(ConfigError, match=r"variants\.a\.quantization: model = './awq' is"):
        check_variants(config, ["a"], engine_options())


def test_bitsandbytes_is_needed_for_quantization_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "pip install 'pytest-llmbench[bitsandbytes]'"
    assert TransformersOptions(model="gpt2").needs() == {}
    quantized = TransformersOptions(model="gpt2", quantization="bnb-nf4")
    assert quantized.needs() == {"bitsandbytes": line}
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    engine = create_engine("transformers")
    engine.start()
    with pytest.raises(EngineNotInstalledError) as raised:
        engine.load({"model": DEMO_MODEL, "device": "cpu", "quantization": "bnb-nf4"}, ROOT)
    assert line in str(raised.value)


def test_the_survey_tells_the_instruction_set() -> None:
    code = "from pytest_llmbench.engines.transformers import survey; print(survey().notes[-1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    kernel = "AVX512-BF16" if packs_anew() else "dequantization"
    assert done.stdout.strip() == f"bitsandbytes' 4-bit layers use {kernel} on the CPU"


@pytest.mark.gpu
@pytest.mark.parametrize("quantization", ["bnb-int8", "bnb-nf4", "bnb-fp4"])
def test_cuda(quantization: str) -> None:
    facts, said = answers(CAPITAL, quantization=quantization, device="cuda", dtype="float16")
    assert "Paris" in said[0]
    assert facts.device.startswith("cuda")
    assert "four_bit_kernel" not in facts.identity


@pytest.mark.gpu
def test_the_cpu_is_used_where_there_is_a_gpu_too() -> None:
    assert answers(CAPITAL, quantization="bnb-nf4", device="cpu")[0].device == "cpu"
