"""The keys of a variant under ``engine = "ollama"``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

from msgspec import Meta

from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.ollama.address import address_problem

CacheDefeat = Literal["auto", "flush", "reload", "none"]
OptionValue = bool | int | float | str | list[str]

OWN_KEYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "num_ctx": "write context",
        "num_gpu": "write gpu_layers",
        "num_thread": "write threads",
        "num_batch": "write batch",
        "num_predict": "write max_new_tokens in the suite",
        "temperature": "write it in the suite",
        "seed": "write it in the suite",
        "top_p": "write it in the suite",
        "top_k": "write it in the suite",
    }
)
"""Ollama's options that other keys say, and where."""

_NOTHING: Final = re.compile(r"[+-]?0*(\.0*)?(ns|us|µs|ms|s|m|h)?")
"""A time of nothing, as Ollama's ``keep_alive`` takes it."""


class OllamaOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "ollama"``.

    Attributes:
        model: the model's name, as ``ollama list`` shows it.
        base_url: where the server is; left out, what the environment's ``OLLAMA_HOST`` says, else
            ``http://127.0.0.1:11434``.
        context: tokens of the context (``num_ctx``); left out, the server decides.
        gpu_layers: layers on the GPU (``num_gpu``); 0 is the processor alone; left out, the server
            decides.
        threads: processor threads (``num_thread``).
        batch: tokens of a prompt that are processed at once (``num_batch``).
        think: whether a model that can think does so, or how much; left out, the server decides.
        extra_options: further options of Ollama's, sent with every request, over ours.
        pull: fetch the model where the server does not have it. Nothing is ever fetched otherwise.
        keep_alive: how long the server keeps the model between two requests: seconds, or a text
            such as ``"30m"``; below zero for ever.
        unload: unload the model at the end, as freeing means; ``false`` leaves it loaded.
        cache_defeat: how a cached prompt is kept out of a round, without which its first token
            would come too soon. ``flush`` sends another prompt of a few characters before the
            round, untimed; ``reload`` unloads the model and loads it again, untimed too; ``none``
            does nothing; ``auto`` tries once whether a flush is enough and reloads otherwise.
        cached_prompt: what happens where a prompt came from the cache all the same: ``refuse``
            fails the case, ``accept`` leaves out the metrics that the prompt is part of.
        connect_timeout_s: seconds to wait for a connection.
        read_timeout_s: seconds to wait for the next piece of an answer, loading included.
    """

    model: Annotated[str, Meta(min_length=1)]
    base_url: Annotated[str, Meta(min_length=1)] | None = None
    context: Annotated[int, Meta(ge=1)] | None = None
    gpu_layers: Annotated[int, Meta(ge=0)] | None = None
    threads: Annotated[int, Meta(ge=1)] | None = None
    batch: Annotated[int, Meta(ge=1)] | None = None
    think: bool | Literal["low", "medium", "high", "max"] | None = None
    extra_options: dict[str, OptionValue] = {}  # noqa: RUF012 — msgspec makes a new one for each
    pull: bool = False
    keep_alive: str | int = "30m"
    unload: bool = True
    cache_defeat: CacheDefeat = "auto"
    cached_prompt: Literal["refuse", "accept"] = "refuse"
    connect_timeout_s: Annotated[float, Meta(gt=0.0)] = 10.0
    read_timeout_s: Annotated[float, Meta(gt=0.0)] = 600.0

    @property
    def runner_options(self) -> dict[str, OptionValue]:
        """Ollama's options that belong to the loaded model; every request has to repeat them.

        One that says otherwise makes the server load the model anew.
        """
        asked = {
            "num_ctx": self.context,
            "num_gpu": self.gpu_layers,
            "num_thread": self.threads,
            "num_batch": self.batch,
        }
        return {
            **{name: value for name, value in asked.items() if value is not None},
            **self.extra_options,
        }

    def problem(self, base_dir: Path) -> tuple[str, str] | None:  # noqa: ARG002 — nothing is read
        """The address has to be one; a model must stay loaded between rounds; no key twice."""
        if self.base_url is not None and (problem := address_problem(self.base_url)):
            return "base_url", problem
        if _NOTHING.fullmatch(str(self.keep_alive).strip()):
            return "keep_alive", (
                f"{self.keep_alive!r} unloads the model after every request, so that each round "
                'would load it again; write a time such as "30m", or leave it out'
            )
        for name in self.extra_options:
            if name in OWN_KEYS:
                return "extra_options", f"{name!r} has its own key: {OWN_KEYS[name]}"
        return None
