"""The adapter: GGUF models through llama.cpp."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines.llama_cpp.facts import facts
from pytest_llmbench.engines.llama_cpp.forcing import forced_logits
from pytest_llmbench.engines.llama_cpp.generation import generate, timings
from pytest_llmbench.engines.llama_cpp.library import open_library
from pytest_llmbench.engines.llama_cpp.log import Log
from pytest_llmbench.engines.llama_cpp.model import LoadedModel
from pytest_llmbench.engines.llama_cpp.options import LlamaCppOptions
from pytest_llmbench.engines.llama_cpp.prompt import ChatTemplate
from pytest_llmbench.engines.model_files import located
from pytest_llmbench.engines.protocol import Encoded, Generation, Stamps
from pytest_llmbench.errors import CaseError, LoadError


class LlamaCppEngine:
    """Runs :class:`.LlamaCppOptions` through llama.cpp."""

    def __init__(self) -> None:
        # Any: llama_cpp is foreign, and present only in the worker.
        self._llama: Any = None
        self._log: Log | None = None
        self._loaded: LoadedModel | None = None
        self._template: ChatTemplate | None = None

    def start(self) -> None:
        """Import llama_cpp and listen to its log."""
        self._llama, self._log = open_library()

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:
        """Load the weights and allocate the context."""
        assert self._log is not None, "start comes first"
        asked = msgspec.convert(options, LlamaCppOptions)
        self._loaded = LoadedModel(self._llama, self._log, asked, base_dir)
        self._template = _chat_template(self._loaded, asked, base_dir)
        return facts(self._loaded, base_dir)

    def reallocate(self) -> None:
        """Make the context anew; without room for it the model goes too."""
        try:
            self._ready().renew_context()
        except LoadError:
            self.free()
            raise

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:
        """Return the tokens as an array of C integers."""
        template = self._template_for(parameters)
        if template is not None:
            text = template.render(messages)
        else:
            text = "\n\n".join(turn.content for turn in messages)
        tokens = self._ready().vocabulary.tokens(text, templated=template is not None)
        if not len(tokens):
            raise CaseError("the prompt has no tokens; write one, or leave chat = false out")
        return Encoded(payload=tokens, tokens=len(tokens))

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        """Generate once, on an empty cache."""
        loaded, prompt = self._ready(), encoded.payload
        reason = generate(loaded, prompt, parameters, stamps)  # type: ignore[arg-type]  # ours
        return Generation(
            text=loaded.vocabulary.text(stamps.ids),
            finish_reason=reason,
            cached_prompt_tokens=0,
            timings=timings(loaded),
        )

    def vocabulary(self) -> int:
        """Return how many tokens the model has."""
        return self._ready().vocabulary.tokens_known

    def token_ids(self, encoded: Encoded) -> tuple[int, ...]:
        """Return the tokens of an encoded prompt."""
        return tuple(encoded.payload)  # type: ignore[arg-type]  # ours

    def text_of(self, ids: tuple[int, ...]) -> str:
        """Return what *ids* read as, without special tokens."""
        return self._ready().vocabulary.text(ids)

    def ids_of(self, text: str) -> tuple[int, ...]:
        """Return *text* as tokens that follow a prompt."""
        return self._ready().vocabulary.plain(text)

    def forced_logits(
        self, encoded: Encoded, continuation: tuple[int, ...], *, step: int
    ) -> Iterator[Any]:
        """Yield float32 logits in blocks of up to *step* rows, through the context's cache."""
        prompt: Any = encoded.payload
        return forced_logits(self._ready(), prompt, continuation, step)

    def free(self) -> None:
        """Free context and model; the library itself stays."""
        if self._loaded is not None:
            self._loaded.free()
        self._loaded = self._template = None

    def _ready(self) -> LoadedModel:
        assert self._loaded is not None, "load comes first"
        return self._loaded

    def _template_for(self, parameters: Parameters) -> ChatTemplate | None:
        if parameters.chat is False:
            return None
        if parameters.chat and self._template is None:
            raise CaseError(
                "chat = true was asked for, but the GGUF file has no chat template; leave chat "
                'out, write chat = false, or chat_template = "template.jinja" on the variant'
            )
        return self._template


def _chat_template(
    loaded: LoadedModel, asked: LlamaCppOptions, base_dir: Path
) -> ChatTemplate | None:
    source = loaded.vocabulary.metadata("tokenizer.chat_template")
    if asked.chat_template is not None:
        try:
            source = located(asked.chat_template, base_dir).read_text("utf-8")
        except (OSError, UnicodeError) as exc:
            raise LoadError(
                f"chat_template = {asked.chat_template!r} can't be read: {exc}; correct the path"
            ) from exc
    if source is None:
        return None
    return ChatTemplate(source, loaded.vocabulary.special_tokens())
