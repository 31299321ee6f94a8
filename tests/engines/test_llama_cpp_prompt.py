"""Prompts of the llama-cpp engine: chat templates, tokens, and text from tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines.llama_cpp import LlamaCppEngine
from pytest_llmbench.errors import CaseError
from tests.engines.llama_cpp_model import GREEDY, QUESTION, demo_scripts, edited, open_engine
from tests.support import DEMO_MODEL

pytestmark = pytest.mark.engine("llama-cpp")


@pytest.fixture(scope="module")
def engine() -> Iterator[LlamaCppEngine]:
    engine, _ = open_engine()
    yield engine
    engine.free()


def test_chat_templates_are_applied_unless_told_otherwise(engine: LlamaCppEngine) -> None:
    auto = engine.encode(QUESTION, GREEDY).tokens
    plain = engine.encode(QUESTION, msgspec.structs.replace(GREEDY, chat=False)).tokens
    assert engine.encode(QUESTION, msgspec.structs.replace(GREEDY, chat=True)).tokens == auto
    assert auto is not None
    assert plain == auto - 3


def test_a_template_that_is_not_there_is_refused(tmp_path: Path) -> None:
    bare = edited(tmp_path, b"tokenizer.chat_template", b"tokenizer.chat_tempest_")
    engine, _ = open_engine(model=bare)
    plain = msgspec.structs.replace(GREEDY, chat=False)
    assert engine.encode(QUESTION, GREEDY).tokens == engine.encode(QUESTION, plain).tokens
    with pytest.raises(CaseError, match="no chat template; leave chat out"):
        engine.encode(QUESTION, msgspec.structs.replace(GREEDY, chat=True))
    engine.free()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ raise_exception('no system role here') }}", "refuses this prompt: no system role"),
        ("{% for m in messages %}", "refuses this prompt: Unexpected end of template"),
        ("{{ messages[7].content }}", "refuses this prompt: list object has no element 7"),
        ("{{ messages.append(1) }}", "refuses this prompt: .*append"),
    ],
)
def test_a_template_that_fails_costs_its_case_alone(
    tmp_path: Path, template: str, message: str
) -> None:
    (tmp_path / "t.jinja").write_text(template)
    engine, _ = open_engine(chat_template=str(tmp_path / "t.jinja"))
    with pytest.raises(CaseError, match=message):
        engine.encode(QUESTION, GREEDY)
    assert engine.encode(QUESTION, msgspec.structs.replace(GREEDY, chat=False)).tokens
    engine.free()


FEATURES = """
{%- if tools is not none or documents is not none or bos_token is defined %}no{% endif %}
{%- set seen = namespace(count=0) %}
  {% for message in messages %}
    {% if message.role == 'system' %}{% continue %}{% endif %}
    {% set seen.count = seen.count + 1 %}
{{ message | tojson }} {{ message.content | trim }}{{ eos_token }}{{ pad_token }}
    {% generation %}{{ message.role | upper }}{% endgeneration %}
  {% endfor %}
{{ strftime_now('%Y') }} {{ seen.count }} {{ functions is defined }} {{ add_generation_prompt }}
"""


@pytest.mark.engine("transformers")
def test_templates_render_as_transformers_renders_them(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    (tmp_path / "t.jinja").write_text(FEATURES)
    engine, found = open_engine(chat_template=str(tmp_path / "t.jinja"))
    turns = (
        Message(role="system", content="Be <b>brief</b>."),
        Message(role="user", content='  "Ünïcode" & more\n'),
        Message(role="assistant", content="Yes."),
    )
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    theirs = tokenizer.apply_chat_template(
        [msgspec.to_builtins(turn) for turn in turns],
        chat_template=FEATURES,
        add_generation_prompt=True,
        tokenize=False,
    )
    assert engine._template is not None
    assert engine._template.render(turns) == theirs
    payload: Any = engine.encode(turns, GREEDY).payload
    assert list(payload) == tokenizer(theirs, add_special_tokens=False)["input_ids"]
    assert len(found.identity["chat_template"]) == 16
    engine.free()


def test_a_prompt_without_tokens_is_refused(engine: LlamaCppEngine) -> None:
    with pytest.raises(CaseError, match="the prompt has no tokens"):
        engine.encode(
            (Message(role="user", content=""),), msgspec.structs.replace(GREEDY, chat=False)
        )


def test_a_beginning_is_added_to_plain_text_once_where_the_model_wants_it(tmp_path: Path) -> None:
    import gguf

    forms, wants = demo_scripts(), tmp_path / "wants.gguf"
    real = gguf.GGUFWriter.add_add_bos_token

    def added(writer: Any, value: bool) -> None:
        real(writer, True)
        writer.add_bos_token_id(2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf.GGUFWriter, "add_add_bos_token", added)
        forms.build("f16.gguf", Path(DEMO_MODEL), wants)
    engine, _ = open_engine(model=str(wants))
    plain: Any = engine.encode(QUESTION, msgspec.structs.replace(GREEDY, chat=False)).payload
    templated: Any = engine.encode(QUESTION, GREEDY).payload
    assert plain[0] == 2
    assert 2 not in list(plain)[1:]
    assert 2 not in list(templated), "a template writes its own"
    engine.free()


def test_text_is_put_together_from_bytes(engine: LlamaCppEngine) -> None:
    text = "a ? b ! 'tis , naïve 日本 🙂"
    plain = msgspec.structs.replace(GREEDY, chat=False)
    payload: Any = engine.encode((Message(role="user", content=text),), plain).payload
    vocabulary = engine._ready().vocabulary
    assert len(payload) > len(text), "the demo's vocabulary has no tokens for most of it"
    assert vocabulary.text(payload) == text
    assert vocabulary.text([*payload, 0, 1, 3]) == text, "special tokens have no text"
    assert vocabulary.text(list(payload)[:-1]).endswith("\N{REPLACEMENT CHARACTER}")


def sentencepiece(writer: Any, _model: Path) -> None:
    """A vocabulary as Llama 2 has it: a space before every text, and all bytes."""
    from gguf import TokenType

    whole = ["<unk>", "<s>", "</s>"]
    every_byte = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = ["▁Paris", "▁is", "▁Pari", "▁Par", "▁Pa", "▁P", "▁i", "▁", ".", *"Paris"]
    pieces += [f"unused{number}" for number in range(2560 - 3 - 256 - len(pieces))]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    kinds += [TokenType.BYTE] * 256 + [TokenType.NORMAL] * len(pieces)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*whole, *every_byte, *pieces])
    writer.add_token_types(kinds)
    writer.add_token_scores([0.0] * 259 + [-float(rank) for rank in range(len(pieces))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_chat_template("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}")


def test_sentencepiece_s_first_space_is_no_part_of_a_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = demo_scripts()
    monkeypatch.setattr(forms, "add_vocabulary", sentencepiece)
    forms.build("f16.gguf", Path(DEMO_MODEL), tmp_path / "spm.gguf")
    engine, _ = open_engine(model=str(tmp_path / "spm.gguf"))
    says = (Message(role="user", content="Paris is é."),)
    plain: Any = engine.encode(says, msgspec.structs.replace(GREEDY, chat=False)).payload
    templated: Any = engine.encode(says, GREEDY).payload
    assert list(plain[:3]) == list(templated[:3]) == [1, 259, 260]
    assert templated[-1] == 2
    assert list(templated).count(1) == 1, "the template writes the beginning, nothing else does"
    vocabulary = engine._ready().vocabulary
    assert vocabulary.text(templated) == "Paris is é."
    assert vocabulary.text(plain[2:]) == "is é."
    engine.free()
