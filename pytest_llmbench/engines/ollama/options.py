"""The keys of a variant under ``engine = "ollama"``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from pytest_llmbench.domain.claim import AUTO, PROCESS_BYTES, Claim, claimed, total
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.loopback import is_loopback
from pytest_llmbench.engines.model_files import read_object
from pytest_llmbench.engines.ollama.address import address_problem, server_address

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

_MODELS: Final = ("~/.ollama/models", "/usr/share/ollama/.ollama/models")
"""Where a server keeps its models: one that a user started, and Linux's service."""
_REGISTRY: Final = ("registry.ollama.ai", "library")
_UNTOLD: Final = 2
"""Bytes in memory for each byte of a model: how long its context is, the server decides."""


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

    def claim(self, base_dir: Path) -> Claim:  # noqa: ARG002 — nothing is read there
        """The server's memory, where it is this machine's; the server is one model's at a time.

        A request with other options than the last makes the server load the model anew: variants
        share it where these are the same too.
        """
        try:
            address = server_address(self.base_url, os.environ)
        except ValueError:  # loading says more
            address = self.base_url or "OLLAMA_HOST"
        on_gpu = self.gpu_layers != 0
        claim = claimed(0, "cpu")
        if is_loopback(address):
            claim = claimed(_model_bytes(self.model), AUTO if on_gpu else "cpu")
            claim = msgspec.structs.replace(
                claim, host_bytes=total(claim.host_bytes, PROCESS_BYTES)
            )
        shared = f"{_manifest(self.model)} {sorted(self.runner_options.items())}".casefold()
        return msgspec.structs.replace(claim, alone_on=address, shared_as=shared)


def _manifest(model: str) -> PurePosixPath:
    """Return where the manifest of *model* is: ``registry/namespace/name/tag``."""
    name, tag = model, "latest"
    if ":" in name.rpartition("/")[2]:
        name, _, tag = name.rpartition(":")
    parts = name.split("/")
    return PurePosixPath(*_REGISTRY[: max(0, 3 - len(parts))], *parts, tag)


def _model_bytes(model: str) -> int | None:
    """Return the bytes that *model* takes in memory, by its manifest; ``None`` without one."""
    told = os.environ.get("OLLAMA_MODELS")
    for folder in (told,) if told else _MODELS:
        manifest = Path(folder).expanduser() / "manifests" / _manifest(model)
        layers = read_object(manifest).get("layers")
        tables = (
            [table for table in layers if isinstance(table, dict)]
            if isinstance(layers, list)
            else []
        )
        sizes = [size for table in tables if isinstance(size := table.get("size"), int)]
        if sizes:
            return _UNTOLD * sum(sizes)
    return None
