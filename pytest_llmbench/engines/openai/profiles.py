"""What is known of each server: the fields it takes, how its cache is kept out, what it counts.

No default of a server may leak into a measurement, so every field that would change the text is
sent with its neutral value where the server takes it. Read in the sources of llama-cpp-python
0.3.36, mlx-lm 0.32.2 and transformers 5.23, and run against them; llama.cpp's, vLLM's, LM Studio's
and exo's published API were read, and none of them was run.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal

from pytest_llmbench.domain.case import Parameters

Fields = dict[str, object]
Defeat = Literal["request", "flush", "prefix", "none"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of server.

    Attributes:
        name: as the key ``profile`` takes it.
        fields: what a request for these parameters holds beyond OpenAI's own fields.
        fixes_length: *fields* makes it go on past the end token where the length is fixed.
        limit: the field that limits the output of a chat.
        usage_option: it takes ``stream_options``, which asks for the counts in the stream.
        defeat: how its cache is kept out, unless the user says otherwise.
        uncached_from: with that, nothing is cached, though it does not say so: from this version
            of the server on; ``()`` is every version, ``None`` none.
        unless: an argument of its command line that takes this back, so that it is known only of
            a server that was started here; ``None``: there is none.
        counts_end: the end token is one of the tokens that it counts.
        loads_late: it answers before the model is loaded.
        remedy: what to do about a cached prompt.
        top_logprobs: the most tokens of a place that it tells of; 0 where it tells none.
        raw_tokens: it writes them as the vocabulary does.
        chat_like: it is asked for them in plain completions as in chats.
    """

    name: str
    fields: Callable[[Parameters], Fields] = lambda parameters: _top_k(parameters)  # noqa: PLW0108 — defined below
    fixes_length: bool = False
    limit: str = "max_tokens"
    usage_option: bool = True
    defeat: Defeat = "none"
    uncached_from: tuple[int, ...] | None = None
    unless: str | None = None
    counts_end: bool = True
    loads_late: bool = False
    remedy: str = 'write cache_defeat = "prefix"'
    top_logprobs: int = 20
    raw_tokens: bool = False
    chat_like: bool = False


def _top_k(parameters: Parameters) -> Fields:
    """OpenAI's API has no ``top_k``: it is sent where it is asked for, and may be refused."""
    return {"top_k": parameters.top_k} if parameters.top_k and not parameters.greedy else {}


def _vllm(parameters: Parameters) -> Fields:
    """What vLLM takes besides; it fills what is left open from ``generation_config.json``."""
    return {
        "top_k": parameters.top_k or -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        **_if_fixed(parameters, ignore_eos=True, min_tokens=parameters.max_new_tokens),
    }


def _llama_server(parameters: Parameters) -> Fields:
    """What llama.cpp's server takes besides; its sampling defaults come from its command line."""
    return {
        "top_k": parameters.top_k,
        "min_p": 0.0,
        "typical_p": 1.0,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "dry_multiplier": 0.0,
        "xtc_probability": 0.0,
        "dynatemp_range": 0.0,
        "mirostat": 0,
        **_if_fixed(parameters, ignore_eos=True),
    }


def _llama_cpp_python(parameters: Parameters) -> Fields:
    """Its defaults penalize repetition (1.1) even where the most likely token is taken.

    Its ``min_tokens`` forbids the end token in a Python function for every token, so that a fixed
    length is somewhat slower there than a natural one. A model's further end tokens still stop.
    """
    return {
        "top_k": parameters.top_k,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        **_if_fixed(parameters, min_tokens=parameters.max_new_tokens),
    }


def _mlx_lm(parameters: Parameters) -> Fields:
    """Its sampling defaults come from its command line."""
    return {"top_k": parameters.top_k, "min_p": 0.0}


def _transformers(parameters: Parameters) -> Fields:
    """A generation configuration as text: the only way to ``do_sample``, ``top_k`` and a length.

    Without it a temperature above zero changes nothing unless the model's own configuration
    samples, and other fields than OpenAI's are refused.
    """
    sampled = {
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "top_k": parameters.top_k,
    }
    config = {
        "max_new_tokens": parameters.max_new_tokens,
        "do_sample": not parameters.greedy,
        "repetition_penalty": 1.0,
        **({} if parameters.greedy else sampled),
        **_if_fixed(parameters, min_new_tokens=parameters.max_new_tokens),
    }
    return {"generation_config": json.dumps(config)}


def _lm_studio(parameters: Parameters) -> Fields:
    """It has no field for ``min_p``: where texts are sampled, the model's own setting holds."""
    return {
        "top_k": parameters.top_k,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }


def _exo(parameters: Parameters) -> Fields:
    return {"top_k": parameters.top_k, "min_p": 0.0, "repetition_penalty": 1.0}


def _if_fixed(parameters: Parameters, **fields: object) -> Fields:
    return fields if parameters.length == "fixed" else {}


OPENAI: Final = Profile(
    name="openai",
    limit="max_completion_tokens",
    remedy='its cache keeps prompts of 1024 tokens and more; write cache_defeat = "prefix"',
)
"""OpenAI itself: the cached tokens are counted; there is no way past the end token."""

OTHER: Final = Profile(name="other")
"""A server that is none of those below: OpenAI's fields, and what it says is believed."""

VLLM: Final = Profile(
    name="vllm",
    fields=_vllm,
    fixes_length=True,
    defeat="request",
    uncached_from=(0, 9),
    remedy="start it with --no-enable-prefix-caching",
)
"""vLLM: blocks of prompts are kept. A salt of its own in each request (from 0.9 on) keeps them
apart; cached tokens are counted only under ``--enable-prompt-tokens-details``."""

LLAMA_SERVER: Final = Profile(
    name="llama-server",
    fields=_llama_server,
    fixes_length=True,
    defeat="request",
    remedy="start it with --no-cache-prompt",
)
"""llama.cpp's llama-server: ``cache_prompt`` turns its cache off for a request. Its last chunk
holds ``timings``, which count cached tokens too; their ``predicted_ms`` begins with the first
token, so that it covers one token less than ``predicted_n``."""

LLAMA_CPP_PYTHON: Final = Profile(
    name="llama-cpp-python",
    fields=_llama_cpp_python,
    fixes_length=True,
    usage_option=False,
    defeat="flush",
    uncached_from=(),
    unless="--cache",
    counts_end=False,
    remedy='write cache_defeat = "flush" and start it without --cache',
)
"""llama-cpp-python's server: no counts in a stream, so that the same is asked once more without
one, untimed. It keeps the keys and values of the last prompt and reuses the tokens that the next
begins with, without a word and without a switch: another prompt of one token, sent before a round,
leaves at most the begin-of-text token that every prompt of the model has. An answer's end token is
not counted. A prompt that is too long cuts the connection; the reason stands in what it prints."""

MLX_LM: Final = Profile(
    name="mlx-lm",
    fields=_mlx_lm,
    loads_late=True,
    remedy='start it with "--prompt-cache-size", "0"',
    top_logprobs=10,
    raw_tokens=True,
    chat_like=True,
)
"""mlx_lm.server: counts, cached tokens too, in the last chunk; the end token is counted. It keeps
ten prompts unless ``--prompt-cache-size 0`` is on its command line. A request with a seed is
served alone, one without through its batch generator. Nothing makes it go on past the end token,
except a ``logit_bias`` against that token in ``fixed_body``. It answers ``/health`` while the model
is still being loaded. There is no limit of the context."""

TRANSFORMERS: Final = Profile(
    name="transformers",
    fields=_transformers,
    fixes_length=True,
    usage_option=False,
    uncached_from=(),
    unless="--continuous-batching",
    remedy="start it without --continuous-batching",
    top_logprobs=0,
)
"""``transformers serve``: counts in the chunk that ends the answer, the end token among them; no
``[DONE]``. It keeps no prompt from one request to the next. An answer that ends by itself with its
very last token is said to end at the limit. There is no limit of the context."""

LM_STUDIO: Final = Profile(
    name="lm-studio",
    fields=_lm_studio,
    defeat="prefix",
    loads_late=True,
)
"""LM Studio: it loads a model when it is first asked for, keeps prompts, and does not say so."""

EXO: Final = Profile(
    name="exo",
    fields=_exo,
    fixes_length=True,
    loads_late=True,
)
"""exo: cached tokens are counted. A fixed length goes through ``/bench/chat/completions``, which
bans the end token, uses no cache and does not stream: see :mod:`.exo`."""

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            OPENAI,
            OTHER,
            VLLM,
            LLAMA_SERVER,
            LLAMA_CPP_PYTHON,
            MLX_LM,
            TRANSFORMERS,
            LM_STUDIO,
            EXO,
        )
    }
)
