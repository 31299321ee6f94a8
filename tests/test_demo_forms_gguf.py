"""The demo's GGUF forms are the demo model: same tokens, same answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_llmbench.config import BUILTIN_SUITES, read_builtin
from pytest_llmbench.config.place import Place
from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines import Engine, Stamps, create_engine
from tests.support import DEMO_MODEL, ROOT, demo_form

pytestmark = [pytest.mark.engine("llama-cpp"), pytest.mark.engine("transformers")]

GREEDY = Parameters(
    max_new_tokens=48, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
PROMPTS = {
    f"{suite}/{prompt.id}": prompt.messages
    for suite in BUILTIN_SUITES
    for prompt in read_builtin(suite, Place("tests"))
}


def loaded(form: str) -> Engine:
    engine = create_engine("llama-cpp")
    engine.start()
    engine.load({"model": demo_form(form), "device": "cpu", "threads": 1}, ROOT)
    return engine


@pytest.fixture(scope="module")
def gguf() -> Iterator[Engine]:
    engine = loaded("f16.gguf")
    yield engine
    engine.free()


@pytest.fixture(scope="module")
def original() -> Iterator[Engine]:
    import torch

    before = torch.get_num_threads()
    engine = create_engine("transformers")
    engine.start()
    engine.load({"model": DEMO_MODEL, "dtype": "float32", "device": "cpu", "threads": 1}, ROOT)
    yield engine
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(DEMO_MODEL)


def answer(engine: Engine, messages: tuple[Message, ...]) -> tuple[str, list[int]]:
    ticks = itertools.count()
    stamps = Stamps(lambda: next(ticks))
    text = engine.generate(engine.encode(messages, GREEDY), GREEDY, stamps).text
    return text, stamps.ids


@pytest.mark.parametrize("chat", [True, False])
def test_both_tokenizers_agree_on_every_prompt(
    gguf: Engine, original: Engine, *, chat: bool
) -> None:
    parameters = Parameters(
        max_new_tokens=1, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=chat
    )
    assert len(PROMPTS) > 60
    for name, messages in PROMPTS.items():
        ours: Any = gguf.encode(messages, parameters)
        theirs: Any = original.encode(messages, parameters)
        assert list(ours.payload) == theirs.payload[0].tolist(), name
        assert ours.tokens == theirs.tokens


@pytest.mark.parametrize(
    "text",
    [
        "  two spaces, a\ttab\n\n\nand lines  ",
        "it's we'll I'd they've CAN'T",
        "naïve café – “quotes” … 日本語 🙂👩‍👩‍👧",
        "x=1;y+=2**3 #comment {'a': [1,2]} 1234567.89",
        "<|user|>a turn<|end|> in plain text <|unknown|>",
        "\u00a0\u2003\u200bodd spaces\r\n",
    ],
)
def test_both_tokenizers_agree_on_odd_text(gguf: Engine, tokenizer: Any, text: str) -> None:
    parameters = Parameters(
        max_new_tokens=1, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=False
    )
    ours: Any = gguf.encode((Message(role="user", content=text),), parameters)
    assert list(ours.payload) == tokenizer(text)["input_ids"]


def test_f16_answers_as_float32_does(gguf: Engine, original: Engine) -> None:
    different = [
        name
        for name, messages in PROMPTS.items()
        if answer(gguf, messages) != answer(original, messages)
    ]
    assert len(different) <= len(PROMPTS) // 10, different


@pytest.mark.parametrize("form", ["q8_0.gguf", "q4_k_m.gguf", "q4_0.gguf"])
def test_quantized_forms_answer_too(form: str) -> None:
    engine = loaded(form)
    assert "Paris" in answer(engine, (Message(role="user", content=QUESTION),))[0]
    engine.free()


QUESTION = "What is the capital of France?"


def test_each_form_is_smaller_than_the_one_before() -> None:
    forms = ["f16.gguf", "q8_0.gguf", "q4_k_m.gguf", "q4_0.gguf"]
    sizes = [Path(demo_form(form)).stat().st_size for form in forms]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 3


def test_a_form_is_made_alike_twice(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = ROOT / "examples" / "demo_model" / "forms.py"
    for name in ("f16.gguf", "q4_k_m.gguf"):
        command = [sys.executable, str(script), name, "--out", str(tmp_path)]
        subprocess.run(command, check=True, capture_output=True)
        assert (tmp_path / name).read_bytes() == Path(demo_form(name)).read_bytes()
