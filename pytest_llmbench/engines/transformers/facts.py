"""What a loaded model is: its identity, its settings and the bytes of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.engines.fingerprint import file_fingerprint, folder_fingerprint
from pytest_llmbench.engines.model_files import CONFIG_FILE, located
from pytest_llmbench.engines.transformers.libraries import Libraries
from pytest_llmbench.engines.transformers.options import TransformersOptions
from pytest_llmbench.engines.transformers.tokens import (
    ByteTokenizer,
    tokenizer_fingerprint,
    tokenizer_source,
)
from pytest_llmbench.engines.transformers.weights import Weights


def model_facts(
    libraries: Libraries,
    asked: TransformersOptions,
    weights: Weights,
    tokenizer: Any,
    *,
    base_dir: Path,
    device: str,
) -> ModelFacts:
    """Return the facts of the model that was loaded."""
    model, torch = weights.model, libraries.torch
    folder = located(asked.model, base_dir)
    return ModelFacts(
        identity={
            "model": folder.name if folder.is_dir() else asked.model,
            **_source_identity(asked, folder, model.config),
            **_tokenizer_identity(asked, tokenizer, base_dir),
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": device.partition(":")[0],
            **weights.identity,
        },
        settings={
            "attention": str(model.config._attn_implementation),  # noqa: SLF001 — nowhere else
            "torch_threads": str(torch.get_num_threads()),
            "cuda": str(torch.version.cuda or "none"),
            **weights.settings,
        },
        model_bytes=model_bytes(model),
        context_tokens=getattr(model.config.get_text_config(), "max_position_embeddings", None),
        device=str(model.device),
        random_weights=asked.weights == "random",
        threads=torch.get_num_threads() if model.device.type == "cpu" else None,
    )


def model_bytes(model: Any) -> int:
    """Return the bytes of all tensors of *model* as loaded, tied and shared ones once.

    Quantized weights count as they are packed, with their scales and tables.
    """
    sizes = {(t.device, t.data_ptr()): t.numel() * t.element_size() for t in _tensors(model)}
    return sum(sizes.values())


def _tensors(model: Any) -> Iterator[Any]:
    yield from model.buffers()
    for parameter in model.parameters():
        yield parameter
        yield from _statistics(parameter)


def _statistics(parameter: Any) -> Iterator[Any]:
    """The tensors that bitsandbytes keeps beside a quantized weight."""
    scales = getattr(parameter, "SCB", None)
    if scales is not None:
        yield scales
    state = getattr(parameter, "quant_state", None)
    while state is not None:
        held = (state.absmax, state.code, state.offset)
        yield from (tensor for tensor in held if tensor is not None)
        state = getattr(state, "state2", None)


def _source_identity(asked: TransformersOptions, folder: Path, config: Any) -> dict[str, str]:
    """Return what the weights came from: their files' fingerprint, or the hub's commit."""
    if not folder.is_dir():
        commit = str(config._commit_hash)  # noqa: SLF001 — the only place that holds it
        made_up = {"weights": "random", "config": commit}
        return {"weights": commit} if asked.weights == "model" else made_up
    if asked.weights == "model":
        return {"weights": folder_fingerprint(folder)}
    return {"weights": "random", "config": file_fingerprint(folder / CONFIG_FILE)}


def _tokenizer_identity(
    asked: TransformersOptions, tokenizer: Any, base_dir: Path
) -> dict[str, str]:
    """Return which tokenizer it is, where the weights' fingerprint does not say so already."""
    source, own = tokenizer_source(asked, base_dir)
    if isinstance(tokenizer, ByteTokenizer):
        return {"tokenizer": "bytes"}
    if not own and asked.weights == "model":
        return {}
    folder = Path(source)
    return {"tokenizer": tokenizer_fingerprint(folder) if folder.is_dir() else source}
