"""What is said of the loaded model, and which models are refused."""

from __future__ import annotations

import json

from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.engines.ollama.answers import Listed, Running, Shown
from pytest_llmbench.engines.ollama.model import ServedModel
from pytest_llmbench.engines.ollama.options import OllamaOptions
from pytest_llmbench.errors import LoadError


def check_usable(shown: Shown, asked: OllamaOptions) -> None:
    """Check that the model generates text, on this server, and thinks where it is told to.

    Raises:
        LoadError: it does not.
    """
    name = asked.model
    if shown.remote_host:
        raise LoadError(
            f"model = {name!r} runs at {shown.remote_host}, to which this server only passes "
            "requests on; name a model of its own"
        )
    if shown.capabilities is None:
        return
    if "completion" not in shown.capabilities:
        raise LoadError(
            f"model = {name!r} generates no text (it can: {', '.join(shown.capabilities)}); "
            "name one that does"
        )
    if asked.think and "thinking" not in shown.capabilities:
        raise LoadError(
            f"think was asked for, but model = {name!r} does not think; leave think out"
        )


def model_facts(model: ServedModel, shown: Shown, asked: OllamaOptions, version: str) -> ModelFacts:
    """Return the facts of the model that was just loaded.

    Raises:
        LoadError: the server does not list it.
        ServerProblem: the server can't be asked.
    """
    listed, running = _listed(model, asked), _running(model)
    context = running.context_length or asked.context
    share = running.size_vram / running.size if running.size else 0.0
    identity = {
        "model": model.name,
        "weights": listed.digest,
        "family": shown.details.family,
        "parameters": shown.details.parameter_size,
        "quantization": shown.details.quantization_level,
        "context": str(context or "unknown"),
        "device": "gpu" if running.size_vram else "cpu",
        **({} if asked.think is None else {"think": str(asked.think).lower()}),
    }
    settings = {
        "ollama": version,
        "gpu_share": f"{share:.0%}",
        "options": json.dumps(asked.runner_options, sort_keys=True),
        "cache_defeat": asked.cache_defeat,
        "loaded_besides": ", ".join(model.others()) or "nothing",
    }
    return ModelFacts(
        identity={name: value for name, value in identity.items() if value},
        settings=settings,
        model_bytes=listed.size or None,
        context_tokens=context,
        device="server",
    )


def _listed(model: ServedModel, asked: OllamaOptions) -> Listed:
    listed = model.listed()
    if listed is None:
        raise LoadError(
            f"the server knows model = {asked.model!r} but does not list it under that name; "
            "write the name that this shows: ollama list"
        )
    return listed


def _running(model: ServedModel) -> Running:
    running = model.running()
    if running is None:
        raise LoadError(
            f"the server said that it loaded {model.name}, but it is not among its loaded models; "
            "its own log says why"
        )
    return running
