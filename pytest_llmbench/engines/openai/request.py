"""What is asked of a server: the fields of one generation."""

from __future__ import annotations

import dataclasses

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines.openai.options import OpenAIOptions
from pytest_llmbench.engines.openai.profiles import Defeat, Fields, Profile
from pytest_llmbench.errors import CaseError

CHAT, COMPLETIONS = "/chat/completions", "/completions"


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A conversation to be answered, and what makes this round's request unlike the last."""

    messages: tuple[Message, ...]
    nonce: str


def endpoint(parameters: Parameters) -> str:
    """Return the path of a chat, or of plain completions where ``chat = false``."""
    return COMPLETIONS if parameters.chat is False else CHAT


def defeat_of(options: OpenAIOptions, profile: Profile) -> Defeat:
    """Return how a cached prompt is kept out."""
    return profile.defeat if options.cache_defeat == "auto" else options.cache_defeat


def body_of(
    asked: Asked, parameters: Parameters, options: OpenAIOptions, profile: Profile, *, stream: bool
) -> Fields:
    """Return the request's body.

    Raises:
        CaseError: the length is to be fixed, and nothing makes this server go on past the end.
    """
    fixed = _fixed(parameters, options, profile)
    return {
        "model": options.model,
        **_prompt(asked, parameters, defeat_of(options, profile)),
        **_sampling(parameters, profile),
        **_streaming(profile, stream=stream),
        **_uncached(asked, options, profile),
        **profile.fields(parameters),
        **options.extra_body,
        **fixed,
    }


def _fixed(parameters: Parameters, options: OpenAIOptions, profile: Profile) -> Fields:
    if parameters.length == "natural":
        return {}
    if not profile.fixes_length and not options.fixed_body:
        raise CaseError(
            f'length = "fixed" was asked for, but a server of the profile {profile.name!r} has no '
            "field that makes it go on past the end token; write the fields that do as "
            'fixed_body = {...}, or length = "natural"'
        )
    return options.fixed_body


def _prompt(asked: Asked, parameters: Parameters, defeat: Defeat) -> Fields:
    """Return the messages, or their text; with a line of its own before it where asked for."""
    turns = [{"role": turn.role, "content": turn.content} for turn in asked.messages]
    if defeat == "prefix":
        turns[0]["content"] = f"[{asked.nonce}]\n{turns[0]['content']}"
    if endpoint(parameters) == CHAT:
        return {"messages": turns}
    return {"prompt": "\n\n".join(turn["content"] for turn in turns)}


def _sampling(parameters: Parameters, profile: Profile) -> Fields:
    limit = profile.limit if endpoint(parameters) == CHAT else "max_tokens"
    fields: Fields = {limit: parameters.max_new_tokens, "temperature": parameters.temperature}
    if not parameters.greedy:
        fields |= {"top_p": parameters.top_p, "seed": parameters.seed}
    return fields


def _streaming(profile: Profile, *, stream: bool) -> Fields:
    if stream and profile.usage_option:
        return {"stream": True, "stream_options": {"include_usage": True}}
    return {"stream": stream}


def _uncached(asked: Asked, options: OpenAIOptions, profile: Profile) -> Fields:
    """Return what asks a server to leave its cache alone; both are only sent to their server."""
    if defeat_of(options, profile) != "request":
        return {}
    if profile.name == "vllm":
        return {"cache_salt": asked.nonce}
    if profile.name == "llama-server":
        return {"cache_prompt": False}
    raise CaseError(
        f'cache_defeat = "request" was asked for, but a server of the profile {profile.name!r} has '
        'no field for it; write cache_defeat = "auto"'
    )
