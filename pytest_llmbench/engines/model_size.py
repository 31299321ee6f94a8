"""How many bytes a model's weights are, by its files and its ``config.json``, before it is loaded.

No engine is asked and nothing is imported. An estimate errs upwards, since what is loaded beside
a model that turned out larger is measured while the machine swaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pytest_llmbench.engines.model_files import read_object

WIDTHS: Final[Mapping[str, int]] = MappingProxyType(
    {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
)
"""Bytes of one weight."""

_WEIGHTS: Final = ("model*.safetensors", "*.safetensors", "pytorch_model*.bin", "*.bin", "*.npz")
_INDICES: Final = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_PART: Final = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")


def stored_width(config: Mapping[str, Any]) -> int | None:
    """Return the bytes of one weight as the checkpoint of *config* holds it, where it says so."""
    text = config.get("text_config")
    tables = (config, text if isinstance(text, dict) else {})
    said = (table.get(key) for table in tables for key in ("dtype", "torch_dtype"))
    return WIDTHS.get(next((str(name) for name in said if name), ""))


def embedding_weights(config: Mapping[str, Any]) -> int | None:
    """Return how many weights the embedding and the output layer have at most.

    ``None`` where *config* is not that of a plain decoder, of whose other weights nearly all are
    in linear layers: it has experts, or parts with configurations of their own.
    """
    vocabulary, hidden = _whole(config, "vocab_size"), _whole(config, "hidden_size")
    plain = "text_config" not in config and not any("expert" in key for key in config)
    return 2 * vocabulary * hidden or None if plain else None


def random_weights(config: Mapping[str, Any]) -> int | None:
    """Return how many weights the model of *config* has at most, counted as Llama's.

    ``None`` where *config* is not that of a plain decoder, or lacks a number.
    """
    ends, hidden = embedding_weights(config), _whole(config, "hidden_size")
    inner, layers = _whole(config, "intermediate_size"), _whole(config, "num_hidden_layers")
    heads = _whole(config, "num_attention_heads")
    if ends is None or not (inner and layers and heads):
        return None
    width = _whole(config, "head_dim") or hidden // heads
    keyed = _whole(config, "num_key_value_heads") or heads
    layer = 2 * hidden * width * (heads + keyed) + 3 * hidden * inner + 4 * hidden
    return ends + layers * layer + hidden


def weight_bytes(folder: Path) -> int | None:
    """Return the bytes of the weights in *folder*, parts that are not there yet included.

    ``None`` where it holds none.
    """
    found = next((files for glob in _WEIGHTS if (files := _files(folder, glob))), [])
    there = sum(path.stat().st_size for path in found)
    indexed = [_indexed(folder / name) for name in _INDICES]
    return max(there, *indexed) or None


def file_bytes(path: Path) -> int | None:
    """Return the bytes of the file *path*; of a GGUF model in several files, those of them all.

    ``None`` where one of them is not there.
    """
    split = _PART.search(path.name)
    parts = [path] if split is None else [*_parts(path, split)]
    try:
        return sum(part.stat().st_size for part in parts)
    except OSError:
        return None


def _parts(path: Path, split: re.Match[str]) -> Iterator[Path]:
    """Yield the paths of all parts of the model that *path* is one of."""
    for number in range(1, int(split[1]) + 1):
        yield path.with_name(f"{path.name[: split.start()]}-{number:05}-of-{split[1]}.gguf")


def _whole(config: Mapping[str, Any], key: str) -> int:
    """Return the whole number under *key*; 0 where there is none."""
    number = config.get(key)
    return number if isinstance(number, int) and number > 0 else 0


def _files(folder: Path, glob: str) -> list[Path]:
    return [path for path in folder.glob(glob) if path.is_file()]


def _indexed(index: Path) -> int:
    """Return the bytes of all parts that *index* lists; 0 where there is none."""
    metadata = read_object(index).get("metadata")
    size = metadata.get("total_size") if isinstance(metadata, dict) else None
    return int(size) if isinstance(size, int | float) else 0
