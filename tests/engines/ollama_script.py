"""How :mod:`.ollama_server` behaves, and the models that it has."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.engines.ollama_runner import MS

TEMPLATE = "{{ range .Messages }}<|{{ .Role }}|>{{ .Content }}{{ end }}<|assistant|>"


@dataclasses.dataclass(kw_only=True)
class Model:
    """A model on the server's disk."""

    size: int = 7_000_000
    digest: str = "ab" * 32
    family: str = "llama"
    quantization: str = "Q4_K_M"
    context_length: int = 8192
    template: str = TEMPLATE
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    capabilities: list[str] = dataclasses.field(default_factory=lambda: ["completion"])
    remote_host: str = ""


@dataclasses.dataclass(kw_only=True)
class Script:
    """How the server behaves.

    Attributes:
        registry: models that can be pulled.
        faults: what goes wrong, by a word of the prompt: ``500``, ``error``, ``cut``, ``silent``,
            ``malformed``, ``hang``, ``evict``, ``empty``.
        gpu_share: part of a model's memory that is on the GPU.
        slots: OLLAMA_NUM_PARALLEL; *multiuser* is OLLAMA_MULTIUSER_CACHE.
        ram_cache: llama-server keeps prompts in main memory, as it does unless told otherwise.
        prefill_ms: simulated milliseconds for one token of a prompt.
        real: the simulated time passes.
        hidden: nothing is shown by ``/api/ps``.
        children: a process is started for every loaded model.
    """

    version: str = "0.34.0"
    models: dict[str, Model] = dataclasses.field(default_factory=lambda: {"demo:latest": Model()})
    registry: dict[str, Model] = dataclasses.field(default_factory=dict)
    answer: str = "The capital of France is Paris."
    thought: str = ""
    faults: dict[str, str] = dataclasses.field(default_factory=dict)
    pull_fault: str = ""
    load_fault: str = ""
    gpu_share: float = 0.0
    slots: int = 1
    multiuser: bool = False
    ram_cache: bool = False
    prefill_ms: float = 1.0
    real: bool = False
    load_s: float = 0.02
    unload_s: float = 0.02
    hidden: bool = False
    children: bool = False

    @property
    def number(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split("."))

    @property
    def counts(self) -> str:
        """What ``prompt_eval_count`` means in this version."""
        if self.number >= (0, 33, 3):
            return "told"
        first_of_30 = (0, 30) <= self.number < (0, 30, 3)
        return "uncached" if self.number < (0, 4) or first_of_30 else "whole"


def prompt_figures(script: Script, tokens: int, cached: int) -> dict[str, Any]:
    """What a version says of a prompt with so many *tokens*, of which some were *cached*."""
    if script.number < (0, 4) and cached == tokens - 1:
        cached = tokens  # the very same prompt is not processed at all
    took = {"prompt_eval_duration": int(script.prefill_ms * MS * max(1, tokens - cached))}
    match script.counts:
        case "told":
            return {**took, "prompt_eval_count": tokens, "prompt_eval_cached_count": cached}
        case "uncached":
            return {**took, "prompt_eval_count": tokens - cached}
    return {**took, "prompt_eval_count": tokens}


def details(model: Model) -> dict[str, Any]:
    return {
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": "3.6M",
        "quantization_level": model.quantization,
    }


def listed(name: str, model: Model) -> dict[str, Any]:
    return {
        "name": name,
        "model": name,
        "size": model.size,
        "digest": model.digest,
        "details": details(model),
    }
