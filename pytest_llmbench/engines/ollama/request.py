"""What is asked of the model in a round, and how it has to sample."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines.ollama.answers import Shown
from pytest_llmbench.errors import CaseError

_NO_TEMPLATE: Final = ("", "{{ .Prompt }}", "{{.Prompt}}")

_NEUTRAL: Final[Mapping[str, float]] = MappingProxyType(
    {"min_p": 0.0, "repeat_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
)
"""Sampling that nobody asked for: Ollama's own defaults penalize repetition."""

_NEUTRAL_IF_SET: Final[Mapping[str, float]] = MappingProxyType(
    {"mirostat": 0, "typical_p": 1.0, "tfs_z": 1.0}
)
"""The same, of options that newer versions don't know: said only where the model sets them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One conversation: where it is sent, and all of its body but the options."""

    path: str
    body: Mapping[str, object]

    @property
    def key(self) -> str:
        """What is the same for the same prompt, and for no other."""
        return json.dumps([self.path, self.body], sort_keys=True)


def has_template(shown: Shown) -> bool:
    """Whether the model has a chat template: its Modelfile's, the server's, or its file's."""
    own = shown.template.strip() not in _NO_TEMPLATE
    info = shown.model_info or {}
    return own or bool(shown.renderer) or bool(info.get("tokenizer.chat_template"))


def request_for(
    messages: tuple[Message, ...],
    chat: bool | None,  # noqa: FBT001 — three states of one field, not a switch
    shown: Shown,
    think: bool | str | None,  # noqa: FBT001 — as the API has it
) -> Request:
    """Return what to ask: a chat where there is a template, else the bare text.

    Raises:
        CaseError: a chat was asked for and there is no template, or there is no text.
    """
    templated = has_template(shown)
    if chat and not templated:
        raise CaseError(
            "chat = true was asked for, but the model has no chat template; leave chat out or "
            "write chat = false"
        )
    if templated if chat is None else chat:
        turns = [{"role": turn.role, "content": turn.content} for turn in messages]
        told = {} if think is None else {"think": think}
        return Request("/api/chat", {"messages": turns, **told})
    text = "\n\n".join(turn.content for turn in messages)
    if not text:
        raise CaseError("the prompt is empty, and Ollama takes that as a wish to load; write one")
    return Request("/api/generate", {"prompt": text, "raw": True})


def sampling(parameters: Parameters, shown: Shown) -> dict[str, float]:
    """Return the options that make the model sample as *parameters* say, and no other way.

    Where the most likely token is taken, the one candidate saves the sampler the whole vocabulary.
    """
    named = {line.split(maxsplit=1)[0] for line in shown.parameters.splitlines() if line.strip()}
    return {
        **_NEUTRAL,
        **{name: value for name, value in _NEUTRAL_IF_SET.items() if name in named},
        "num_predict": parameters.max_new_tokens,
        "temperature": parameters.temperature,
        "seed": parameters.seed,
        "top_p": 1.0 if parameters.greedy else parameters.top_p,
        "top_k": 1 if parameters.greedy else parameters.top_k,
    }
