"""From messages to token ids and back: by the model's tokenizer, or by bytes without one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.errors import CaseError

_NO_TEMPLATE = "chat = true was asked for, but {why}; leave chat out or write chat = false"


class Tokens(Protocol):
    """What an engine needs of a tokenizer; *ends* are the tokens that end an answer."""

    ends: frozenset[int]

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> list[int]:
        """Return the conversation as token ids, with the chat template where it applies.

        Raises:
            CaseError: a template was asked for and there is none.
        """

    def text(self, ids: Sequence[int]) -> str:
        """Return what *ids* say, without special tokens."""

    def plain(self, text: str) -> tuple[int, ...]:
        """Return *text* as token ids, none added and none of them special."""


class ModelTokens:
    """The model's tokenizer.

    mlx-lm wraps the tokenizer of transformers, whose own template is applied just as transformers
    applies it: the wrapper would set ``enable_thinking`` besides. The wrapper is asked where
    mlx-lm brings a template for a model that has none.

    Args:
        wrapper: mlx-lm's ``TokenizerWrapper``; it knows every end token of the model's files.
    """

    def __init__(self, wrapper: Any) -> None:
        self._wrapper = wrapper
        self._inner: Any = wrapper._tokenizer  # noqa: SLF001 — see above
        self.ends = frozenset(wrapper.eos_token_ids)

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> list[int]:
        """See :class:`Tokens`."""
        if not self._templated(parameters):
            ids = self._inner.encode("\n\n".join(turn.content for turn in messages))
            return [int(token) for token in ids]
        turns = [{"role": turn.role, "content": turn.content} for turn in messages]
        own = self._inner.chat_template is not None
        template = (self._inner if own else self._wrapper).apply_chat_template
        plain = {"return_dict": False} if own else {}
        return [int(token) for token in template(turns, add_generation_prompt=True, **plain)]

    def text(self, ids: Sequence[int]) -> str:
        """See :class:`Tokens`."""
        return str(self._inner.decode(list(ids), skip_special_tokens=True))

    def plain(self, text: str) -> tuple[int, ...]:
        """See :class:`Tokens`."""
        encoded = self._inner(text, add_special_tokens=False, split_special_tokens=True)
        return tuple(map(int, encoded["input_ids"]))

    def _templated(self, parameters: Parameters) -> bool:
        there = bool(self._wrapper.has_chat_template)
        if parameters.chat and not there:
            why = "the model's tokenizer has no chat template"
            raise CaseError(_NO_TEMPLATE.format(why=why))
        return there if parameters.chat is None else parameters.chat


class ByteTokens:
    """For random weights without a tokenizer: a prompt's bytes, modulo the vocabulary.

    Args:
        vocabulary: how many tokens there are.
        ends: the tokens that end an answer; ``None`` stands for none.
    """

    def __init__(self, vocabulary: int, ends: Iterable[int | None]) -> None:
        self._vocabulary = vocabulary
        self.ends = frozenset(end for end in ends if end is not None)

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> list[int]:
        """See :class:`Tokens`."""
        if parameters.chat:
            raise CaseError(_NO_TEMPLATE.format(why="these random weights have no tokenizer"))
        return list(self.plain("\n\n".join(turn.content for turn in messages)))

    def text(self, ids: Sequence[int]) -> str:
        """Return the ids themselves, as nobody knows what they mean."""
        return " ".join(str(token) for token in ids if token not in self.ends)

    def plain(self, text: str) -> tuple[int, ...]:
        """See :class:`Tokens`."""
        return tuple(byte % self._vocabulary for byte in text.encode())
