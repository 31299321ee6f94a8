"""From a folder to a model in memory: stored or random weights, cast, quantized, adapted.

Read in mlx-lm 0.32.2: weights are lazy until they are evaluated, so that a cast and a quantization
on load never hold the whole model twice. Most of its models (Llama, Mistral, Qwen 2 …) take the
base of the rotary embedding from ``rope_theta`` alone and would silently take 10000 for a model
that transformers 5 saved, which writes it under ``rope_parameters``: it is handed over here.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_llmbench.engines.mlx.libraries import Libraries
from pytest_llmbench.engines.mlx.options import MlxOptions
from pytest_llmbench.engines.model_files import ADAPTER_FILE
from pytest_llmbench.errors import LoadError

ADAPTER_FILES: Final = (ADAPTER_FILE, "adapters.safetensors")
"""The two files that mlx-lm reads of an adapter's folder; training leaves others beside them."""

_SEED: Final = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A model in memory.

    Attributes:
        module: mlx-lm's model.
        config: its ``config.json``, with the end tokens of ``generation_config.json``.
        dtype: the precisions of what is not quantized, the adapter left out: ``float16``, or
            several joined by ``+``.
        quantization: the formats of what is quantized; ``none`` where nothing is.
    """

    module: Any
    config: dict[str, Any]
    dtype: str
    quantization: str

    def first(self, *keys: str) -> int | None:
        """Return the first whole number that the configuration has under one of *keys*."""
        tables = (self.config, self.config.get("text_config") or {})
        found = (table.get(key) for key in keys for table in tables)
        return next((value for value in found if isinstance(value, int)), None)


def build(mlx: Libraries, asked: MlxOptions, folder: Path, adapter: Path | None) -> Built:
    """Return the model in *folder*, evaluated: all of it is in memory.

    Raises:
        LoadError: what was asked does not go with what is there.
        Exception: mlx-lm's own, where it can't load the files.
    """
    read = _drawn if asked.weights == "random" else _stored
    module, config = read(mlx, asked, folder)
    if asked.dtype != "auto":
        _cast(mlx, module, asked.dtype)
    if asked.bits is not None:
        _quantize(mlx, module, config, asked)
    dtype, quantization = _precisions(mlx, module), _formats(module)
    if adapter is not None:
        _adapt(mlx, module, adapter)
    module.eval()
    mlx.core.eval(module.parameters())
    return Built(module=module, config=config, dtype=dtype, quantization=quantization)


def rope_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the rotary embedding as mlx-lm's models look for them, where missing."""
    told: dict[str, Any] = {}
    nested = config.get("rope_parameters") or {}
    if "rope_theta" in nested:
        scaled = nested.get("rope_type", "default") != "default"
        told = {"rope_theta": nested["rope_theta"], **({"rope_scaling": nested} if scaled else {})}
    told = {key: value for key, value in told.items() if config.get(key) is None}
    text = config.get("text_config")
    if text and (inner := rope_of(text)):
        told["text_config"] = {**text, **inner}
    return told


def _stored(mlx: Libraries, asked: MlxOptions, folder: Path) -> tuple[Any, dict[str, Any]]:
    module, config = mlx.loading.load_model(
        folder,
        lazy=True,
        model_config=rope_of(mlx.loading.load_config(folder)),
        trust_remote_code=asked.trust_remote_code,
    )
    return module, config


def _drawn(mlx: Libraries, _asked: MlxOptions, folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return the model that ``config.json`` describes, as its layers draw their weights."""
    config: dict[str, Any] = mlx.loading.load_config(folder)
    config |= rope_of(config)
    stored = config.get("quantization")
    if "model_file" in config or ("quantization_config" in config and stored is None):
        raise LoadError(
            'weights = "random" was asked for, but the config.json asks for code of its own or '
            "for a quantization that is not MLX's; take the config.json of a plain model, and "
            "the key quantization"
        )
    mlx.core.random.seed(_SEED)
    classes = mlx.loading._get_classes(config)  # noqa: SLF001 — load_model's own default
    module = classes[0](classes[1].from_dict(config))
    _cast(mlx, module, _config_dtype(config))
    if stored is not None:
        kind = {key: stored[key] for key in ("group_size", "bits", "mode") if key in stored}
        mlx.nn.quantize(module, **kind, class_predicate=_as_stored(stored))
    return module, config


def _config_dtype(config: Mapping[str, Any]) -> str:
    tables = (config, config.get("text_config") or {})
    found = (table.get(key) for table in tables for key in ("dtype", "torch_dtype"))
    return next((str(name) for name in found if name), "float32")


def _as_stored(stored: Mapping[str, Any]) -> Callable[[str, Any], Any]:
    """Return which layer an MLX folder with the table *stored* has quantized, and how."""

    def chosen(path: str, layer: Any) -> Any:
        return stored.get(path, _can_quantize(layer, stored["group_size"]))

    return chosen


def _cast(mlx: Libraries, module: Any, dtype: str) -> None:
    """Cast what is not quantized, but for what the model wants left alone, as mlx-lm converts."""
    core, wanted = mlx.core, getattr(mlx.core, dtype)
    may = getattr(module, "cast_predicate", lambda _: True)

    def cast(path: str, array: Any) -> Any:
        floating = core.issubdtype(array.dtype, core.floating)
        return array.astype(wanted) if floating and may(path) else array

    module.update(mlx.trees.tree_map_with_path(cast, module.parameters()))


def _quantize(mlx: Libraries, module: Any, config: dict[str, Any], asked: MlxOptions) -> None:
    found = _formats(module)
    if found != "none":
        raise LoadError(
            f"quantization = {asked.quantization!r} was asked for, but the model is quantized "
            f"already ({found}); leave quantization out, or take the model it was made from"
        )
    layers = [layer for _, layer in module.named_modules() if hasattr(layer, "to_quantized")]
    fit = sum(_can_quantize(layer, asked.group_size) for layer in layers)
    if fit < len(layers):
        _tell_unfit(asked, fit=fit, layers=len(layers))
    mlx.loading.quantize_model(module, config, asked.group_size, asked.bits)


def _tell_unfit(asked: MlxOptions, *, fit: int, layers: int) -> None:
    """Refuse a model that no group fits; warn of one that some layers of do not."""
    problem = (
        f"the width of {layers - fit} of {layers} layers is no multiple of group_size = "
        f"{asked.group_size}"
    )
    if fit == 0:
        raise LoadError(
            f"quantization = {asked.quantization!r} was asked for, but {problem}; "
            "write a smaller group_size"
        )
    warnings.warn(f"{problem}: they are not quantized", stacklevel=2)


def _can_quantize(layer: Any, group_size: int) -> bool:
    return hasattr(layer, "to_quantized") and layer.weight.shape[-1] % group_size == 0


def _adapt(mlx: Libraries, module: Any, adapter: Path) -> None:
    missing = [name for name in ADAPTER_FILES if not (adapter / name).is_file()]
    if missing:
        peft = (adapter / "adapter_model.safetensors").is_file()
        hint = " It is peft's, which mlx-lm does not read: merge it into the model, or train it"
        raise LoadError(
            f"the adapter folder {adapter} has no {' and no '.join(missing)}; name one that "
            f"mlx_lm.lora wrote.{hint + ' with mlx_lm.lora.' if peft else ''}"
        )
    mlx.loading.load_adapters(module, str(adapter))


def _precisions(mlx: Libraries, module: Any) -> str:
    core = mlx.core
    found = {array.dtype for _, array in mlx.trees.tree_flatten(module.parameters())}
    floats = (dtype for dtype in found if core.issubdtype(dtype, core.floating))
    return "+".join(sorted(str(dtype).rpartition(".")[2] for dtype in floats))


def _formats(module: Any) -> str:
    """Return the quantized layers' formats, most bits first: ``4-bit affine, groups of 64``."""
    layers = [layer for _, layer in module.named_modules() if hasattr(layer, "bits")]
    found = {(layer.bits, getattr(layer, "mode", "affine"), layer.group_size) for layer in layers}
    told = (f"{bits}-bit {mode}, groups of {size}" for bits, mode, size in sorted(found)[::-1])
    return "; ".join(told) or "none"
