"""Text to tokens and back: the chat template, the tokenizer and the texts of tokens."""

from __future__ import annotations

import ctypes
import functools
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.errors import CaseError

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

_SPECIAL: Final = {
    "bos_token": "tokenizer.ggml.bos_token_id",
    "eos_token": "tokenizer.ggml.eos_token_id",
    "unk_token": "tokenizer.ggml.unknown_token_id",
    "pad_token": "tokenizer.ggml.padding_token_id",
}
"""What templates call the special tokens → where GGUF keeps their ids."""


class Vocabulary:
    """The tokenizer of a loaded model.

    Args:
        llama: the module ``llama_cpp``.
        model: handle of the model.
    """

    def __init__(self, llama: Any, model: int) -> None:
        self._llama = llama
        self._model = model
        self.handle: int = llama.llama_model_get_vocab(model)

    @property
    def tokens_known(self) -> int:
        """How many tokens there are."""
        return int(self._llama.llama_vocab_n_tokens(self.handle))

    def metadata(self, key: str) -> str | None:
        """Return the GGUF file's value of *key* as text; ``None`` where it has none."""
        read = self._llama.llama_model_meta_val_str
        size = read(self._model, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        read(self._model, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")

    def special_tokens(self) -> dict[str, str]:
        """Return the special tokens that the file names; llama.cpp's guesses are left out."""
        ids = {name: self.metadata(key) for name, key in _SPECIAL.items()}
        return {
            name: self._piece(int(token), special=True).decode("utf-8", "replace")
            for name, token in ids.items()
            if token is not None
        }

    def tokens(self, text: str, *, templated: bool) -> ctypes.Array[ctypes.c_int32]:
        """Return *text* as tokens, special tokens in it recognised.

        What the model's metadata says of tokens to add (a BOS, say) holds for plain text; a
        template writes its own.
        """
        return self._tokenized(text, added=not templated, special=True)

    def plain(self, text: str) -> tuple[int, ...]:
        """Return *text* as tokens, none added and none of them special."""
        return tuple(self._tokenized(text, added=False, special=False))

    def _tokenized(self, text: str, *, added: bool, special: bool) -> ctypes.Array[ctypes.c_int32]:
        encoded = text.encode()

        def tokenize(tokens: Any, room: int) -> int:
            size = len(encoded)
            read = self._llama.llama_tokenize
            return int(read(self.handle, encoded, size, tokens, room, added, special))

        count = -tokenize(None, 0)
        tokens = (ctypes.c_int32 * count)()
        tokenize(tokens, count)
        return tokens

    def text(self, ids: Iterable[int]) -> str:
        """Return the text of generated tokens; special ones have none.

        ``llama_detokenize`` is not used: it tidies spaces before punctuation for many models.
        """
        pieces = [piece for piece in map(self._piece, ids) if piece]
        if pieces and self._spaces_first:
            pieces[0] = pieces[0].removeprefix(b" ")
        return b"".join(pieces).decode("utf-8", "replace")

    @functools.cached_property
    def _spaces_first(self) -> bool:
        """Whether the tokenizer writes a space before every text (SentencePiece)."""
        spm = self._llama.llama_vocab_type(self.handle) == self._llama.LLAMA_VOCAB_TYPE_SPM
        return bool(spm) and self.metadata("tokenizer.ggml.add_space_prefix") != "false"

    def _piece(self, token: int, *, special: bool = False) -> bytes:
        read = self._llama.llama_token_to_piece
        size = -read(self.handle, token, None, 0, 0, special)
        buffer = ctypes.create_string_buffer(max(size, 1))
        written = read(self.handle, token, buffer, size, 0, special)
        return buffer.raw[: max(written, 0)]


class ChatTemplate:
    """A Jinja template that is rendered as transformers renders it.

    Args:
        source: the template.
        special_tokens: variables beside the messages: ``bos_token`` and so on.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        self._source = source
        self._special_tokens = dict(special_tokens)

    def render(self, messages: tuple[Message, ...]) -> str:
        """Return the conversation as text that ends where the answer begins.

        Raises:
            CaseError: the template is broken, or refuses these messages.
        """
        from jinja2 import TemplateError

        turns = [{"role": turn.role, "content": turn.content} for turn in messages]
        try:
            return self._template.render(
                messages=turns,
                tools=None,
                documents=None,
                add_generation_prompt=True,
                **self._special_tokens,
            )
        except (TemplateError, TypeError, ValueError, LookupError) as exc:
            raise CaseError(
                f"the model's chat template refuses this prompt: {exc}; change its messages, write "
                'chat = false, or chat_template = "template.jinja" on the variant'
            ) from exc

    @functools.cached_property
    def _template(self) -> Template:
        return _environment().from_string(self._source)


def _environment() -> SandboxedEnvironment:
    """Return what transformers gives to templates: a sandbox, loop controls, a few functions."""
    from jinja2 import TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class GenerationTags(Extension):
        """Lets ``{% generation %}`` through, which marks answers for training."""

        tags = {"generation"}  # noqa: RUF012 — jinja2's own shape

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTags, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda shape: datetime.now().strftime(shape)  # noqa: DTZ005 — local time, as transformers
    return environment


def _to_json(
    value: object,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 — the filter's signature
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
