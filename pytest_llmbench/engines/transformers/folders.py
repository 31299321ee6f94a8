"""What a variant's model and adapter are on this machine: told from their files, without libraries.

A folder that is something else than what was asked for is named as what it is: an adapter, GGUF
files, weights that MLX quantized.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_llmbench.engines.model_files import (
    ADAPTER_FILE,
    CONFIG_FILE,
    is_gguf,
    is_path,
    located,
    read_object,
)


def model_problem(
    model: str, base_dir: Path, *, made_up: bool, quantizes: bool
) -> tuple[str, str] | None:
    """Return a key and why it can't be loaded: no folder, another kind of folder, quantized.

    Args:
        model: the key's value; a name that may be on the hub has no problem here.
        base_dir: the folder that relative paths start from.
        made_up: whether only the config is read, for random weights.
        quantizes: whether the weights are to be quantized.
    """
    folder = located(model, base_dir)
    if not folder.is_dir():
        return _absent("model", model, folder, base_dir)
    config = folder / CONFIG_FILE
    if not config.is_file():
        return "model", _without_config(model, folder, made_up=made_up)
    if (folder / ADAPTER_FILE).is_file() and not made_up:
        return "model", _with_adapter(folder)
    if quantized_by_mlx(read_object(config)):
        return "model", made_by_mlx(model)
    method = _quantized_already(config) if quantizes else None
    return None if method is None else ("quantization", already_quantized(model, method))


def adapter_problem(adapter: str, base_dir: Path) -> tuple[str, str] | None:
    """Return the key ``adapter`` and why there is no adapter where it says."""
    folder = located(adapter, base_dir)
    if not folder.is_dir():
        return _absent("adapter", adapter, folder, base_dir)
    if (folder / ADAPTER_FILE).is_file():
        return None
    return "adapter", f"{folder} has no {ADAPTER_FILE}; name the folder that peft saved it to"


def already_quantized(model: str, method: str) -> str:
    """Return the sentence that refuses to quantize *model* a second time."""
    return (
        f"model = {model!r} is quantized already (by {method}) and loads as it is; "
        "remove quantization, or name the model that it was made from"
    )


def made_by_mlx(model: str) -> str:
    """Return the sentence that refuses weights that MLX quantized."""
    return (
        f"the weights of {model!r} were quantized by MLX, whose form transformers can't load; "
        'write engine = "mlx", or name the model that they were made from'
    )


def quantized_by_mlx(config: Mapping[str, Any]) -> bool:
    """Whether *config* is of weights that MLX quantized, which name no method."""
    theirs, ours = config.get("quantization"), config.get("quantization_config") or {}
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return False
    return {"bits", "group_size"} <= theirs.keys() and quantization_method(ours) is None


def quantization_method(said: Mapping[str, Any]) -> str | None:
    """Return the method of a ``quantization_config``; bitsandbytes' early ones do not name it."""
    method = said.get("quant_method")
    if method is None:
        early = said.get("load_in_4bit") or said.get("load_in_8bit")
        return "bitsandbytes" if early else None
    return str(getattr(method, "value", method))


def made_for(folder: Path) -> str:
    """Return what the adapter in *folder* was trained on, as it says itself."""
    said = read_object(folder / ADAPTER_FILE).get("base_model_name_or_path")
    return repr(said) if said else "an unnamed model"


def _without_config(model: str, folder: Path, *, made_up: bool) -> str:
    if (folder / ADAPTER_FILE).is_file():
        return (
            f"{folder} is an adapter, not a model; write it as adapter = {model!r} beside "
            f"model = the one that it was trained on ({made_for(folder)})"
        )
    ggufs = sorted(path.name for path in folder.glob("*.gguf"))
    if ggufs:
        return (
            f"{folder} has GGUF files and no {CONFIG_FILE}; "
            f'write engine = "llama-cpp" and model = {str(Path(model) / ggufs[0])!r}'
        )
    if made_up:
        return f"{folder} has no {CONFIG_FILE}, which random weights are made from"
    return f"{folder} has no {CONFIG_FILE}; name the folder that the model was saved to"


def _with_adapter(folder: Path) -> str:
    return (
        f"{folder} holds a model and an adapter ({ADAPTER_FILE}), which is loaded or not by what "
        "is installed; move the adapter's files to a folder of their own and write that as adapter"
    )


def _quantized_already(config: Path) -> str | None:
    """Return the method that the checkpoint of *config* is quantized by, if it is."""
    theirs = read_object(config).get("quantization_config")
    return (quantization_method(theirs) or "?") if isinstance(theirs, dict) else None


def _absent(key: str, name: str, folder: Path, base_dir: Path) -> tuple[str, str] | None:
    """Return what is wrong with a *name* that is no folder; nothing if it may be on the hub."""
    if not is_path(name, base_dir):
        return None
    if not folder.is_file():
        return key, f"the {key} folder {folder} does not exist; correct the path"
    if not is_gguf(folder):
        return key, f"{folder} is a file, not a folder; correct the path"
    if key == "model":
        return key, f'{folder} is a GGUF file, not a folder; write engine = "llama-cpp"'
    return key, f"{folder} is a GGUF file, which peft can't read; name the folder that peft saved"
