"""Putting a peft adapter on a model: as layers of its own, or merged into the weights.

Read in peft 0.21: an adapter that does not fit drops the tensors that have no place, with a
warning at most, so that what was loaded is compared with what the file holds. Merging into
quantized weights quantizes them again. Tensors of an adapter in 16 bits are computed in float32
unless they are merged.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

from pytest_llmbench.engines.fingerprint import folder_fingerprint
from pytest_llmbench.engines.model_files import ADAPTER_FILE, located
from pytest_llmbench.engines.transformers.folders import made_for
from pytest_llmbench.engines.transformers.options import TransformersOptions
from pytest_llmbench.engines.transformers.refusals import damage, load_problem, said
from pytest_llmbench.errors import LoadError

_NAME: Final = "default"
_REFUSALS: Final = (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError)
_FILES: Final = [ADAPTER_FILE, "adapter_model.*"]


def adapter_folder(asked: TransformersOptions, base_dir: Path) -> Path:
    """Return the adapter's folder on this machine, from the hub if it is none.

    Raises:
        LoadError: neither a folder nor an adapter that the hub gives.
    """
    assert asked.adapter is not None, "asked only where there is one"
    folder = located(asked.adapter, base_dir)
    if folder.is_dir():
        return folder
    hub: Any = importlib.import_module("huggingface_hub")
    try:
        return Path(
            hub.snapshot_download(
                asked.adapter, revision=asked.adapter_revision, allow_patterns=_FILES
            )
        )
    except (OSError, ValueError) as exc:
        raise LoadError(load_problem("adapter", asked.adapter, folder, exc)) from exc


def adapter_identity(asked: TransformersOptions, folder: Path) -> dict[str, str]:
    """Return the fingerprint of the adapter and when it was merged."""
    return {"adapter": folder_fingerprint(folder), "adapter_merge": asked.adapter_merge}


def with_adapter(peft: Any, model: Any, asked: TransformersOptions, folder: Path) -> Any:
    """Return *model* with the adapter in *folder*, merged unless that is ``never`` to be.

    Raises:
        LoadError: it is an adapter for another model, damaged, or can't be merged.
    """
    try:
        config = peft.PeftConfig.from_pretrained(str(folder))
        _check_kind(asked, config)
        adapted = _adapted(peft, model, config, folder)
    except LoadError:
        raise
    except Exception as exc:  # peft lets those of safetensors, torch and its own code through
        raise LoadError(_adapter_problem(asked, folder, exc)) from exc
    if asked.adapter_merge == "never":
        return adapted.eval()
    return _merged(adapted, asked).eval()


def adapter_settings(model: Any) -> dict[str, str]:
    """Return in which precisions an adapter computes that was not merged."""
    parameters = model.named_parameters()
    dtypes = {tensor.dtype for name, tensor in parameters if _NAME in name.split(".")}
    return {"adapter_dtype": ", ".join(sorted(str(one).removeprefix("torch.") for one in dtypes))}


def _check_kind(asked: TransformersOptions, config: Any) -> None:
    if config.is_prompt_learning:
        raise LoadError(
            f"adapter = {asked.adapter!r} is of the kind {config.peft_type.value}, which lengthens "
            "the prompt and changes no layer; it can't be measured, an adapter of layers "
            "(LoRA and its kin) can"
        )


def _adapted(peft: Any, model: Any, config: Any, folder: Path) -> Any:
    """Return *model* with the adapter's layers; raises ValueError where tensors are left over."""
    config.inference_mode = True
    config.base_model_name_or_path = None  # peft takes the model's, and warns where they differ
    adapted = peft.get_peft_model(model, config, adapter_name=_NAME)
    loaded = adapted.load_adapter(
        str(folder),
        adapter_name=_NAME,
        torch_device=str(model.device),
        key_mapping=getattr(model, "_checkpoint_conversion_mapping", {}),
    )
    if loaded.unexpected_keys:
        left = len(loaded.unexpected_keys)
        raise ValueError(f"{left} of its tensors have no place, {loaded.unexpected_keys[0]} first")
    if loaded.missing_keys:
        raise ValueError(f"it has nothing for {loaded.missing_keys[0]}")
    return adapted


def _merged(adapted: Any, asked: TransformersOptions) -> Any:
    try:
        return adapted.merge_and_unload(safe_merge=True)
    except (*_REFUSALS, NotImplementedError) as exc:
        raise LoadError(
            f"adapter = {asked.adapter!r} can't be merged into these weights: {said(exc)}; "
            'write adapter_merge = "never"'
        ) from exc


def _adapter_problem(asked: TransformersOptions, folder: Path, exc: Exception) -> str:
    assert asked.adapter is not None, "asked only where there is one"
    if damage(folder) is not None:
        return load_problem("adapter", asked.adapter, folder, exc)
    return (
        f"adapter = {asked.adapter!r} does not fit model = {asked.model!r}: {said(exc)}. "
        f"It was trained on {made_for(folder)}; name that model or another adapter"
    )
