"""Where a variant's files come from, folders here or the hub's cache, and their fingerprints."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Final

from pytest_llmbench.engines.fingerprint import (
    file_fingerprint,
    files_fingerprint,
    folder_fingerprint,
)
from pytest_llmbench.engines.mlx.libraries import Libraries
from pytest_llmbench.engines.mlx.model import ADAPTER_FILES, Built
from pytest_llmbench.engines.mlx.options import MlxOptions
from pytest_llmbench.engines.mlx.tokens import ByteTokens, ModelTokens, Tokens
from pytest_llmbench.engines.model_files import CONFIG_FILE, is_path, located
from pytest_llmbench.errors import LoadError

_TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "tiktoken.model", "vocab.json")
_TEMPLATES: Final = ("tokenizer_config.json", "chat_template.jinja", "merges.txt")
_DESCRIPTIONS: Final = ("*.json", "*.py", "*.model", "*.tiktoken", "*.txt", "*.jsonl", "*.jinja")
_WEIGHTS: Final = "model*.safetensors"


def fetched_folder(asked: MlxOptions, base_dir: Path) -> Path:
    """Return the folder of the model's files; random weights fetch no others from the hub."""
    if is_path(asked.model, base_dir):
        return located(asked.model, base_dir)
    weights = () if asked.weights == "random" else (_WEIGHTS,)
    return _fetched(asked.model, asked.revision, (*_DESCRIPTIONS, *weights))


def tokenizer_folder(asked: MlxOptions, folder: Path, base_dir: Path) -> Path:
    """Return the folder of the tokenizer's files: the model's *folder*, or the one asked for."""
    if asked.tokenizer is None:
        return folder
    if is_path(asked.tokenizer, base_dir):
        return located(asked.tokenizer, base_dir)
    return _fetched(asked.tokenizer, None, _DESCRIPTIONS)


def load_tokens(mlx: Libraries, asked: MlxOptions, source: Path, built: Built) -> Tokens:
    """Return the tokenizer in the folder *source*, or bytes for random weights without one."""
    ends, vocabulary = built.config.get("eos_token_id"), built.first("vocab_size")
    if asked.weights == "random" and asked.tokenizer is None and not _has_tokenizer(source):
        if vocabulary is None:
            raise LoadError("the config.json has no vocab_size; name a tokenizer")
        return ByteTokens(vocabulary, ends if isinstance(ends, list) else [ends])
    trust = {"trust_remote_code": asked.trust_remote_code}
    wrapper = mlx.loading.load_tokenizer(source, trust, eos_token_ids=ends)
    foreign = asked.weights == "random" or asked.tokenizer is not None
    if foreign and vocabulary is not None and len(wrapper) > vocabulary:
        raise LoadError(
            f"the tokenizer has {len(wrapper)} tokens, but the model's vocabulary holds "
            f"{vocabulary}; correct tokenizer"
        )
    return ModelTokens(wrapper)


def source_identity(asked: MlxOptions, base_dir: Path, folder: Path) -> dict[str, str]:
    """Return the model's name and the fingerprint of its weights; for random ones, the config's.

    The name is the folder's own, wherever it is, or the one on the hub.
    """
    local = is_path(asked.model, base_dir)
    name = {"model": folder.resolve().name if local else asked.model}
    if asked.weights == "random":
        return {**name, "weights": "random", "config": file_fingerprint(folder / CONFIG_FILE)}
    return {**name, "weights": folder_fingerprint(folder)}


def tokenizer_identity(asked: MlxOptions, source: Path) -> dict[str, str]:
    """Return which tokenizer it is, where the weights' fingerprint does not say so already."""
    if asked.tokenizer is None and asked.weights == "model":
        return {}
    if asked.tokenizer is None and not _has_tokenizer(source):
        return {"tokenizer": "bytes"}
    return {"tokenizer": _fingerprint(source, (*_TOKENIZERS, *_TEMPLATES))}


def adapter_identity(adapter: Path | None) -> dict[str, str]:
    """Return the fingerprint of what mlx-lm reads of an adapter's folder."""
    return {} if adapter is None else {"adapter": _fingerprint(adapter, ADAPTER_FILES)}


def _has_tokenizer(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _TOKENIZERS)


def _fingerprint(folder: Path, names: tuple[str, ...]) -> str:
    paths = (folder / name for name in names)
    return files_fingerprint(path for path in paths if path.is_file())


def _fetched(name: str, revision: str | None, patterns: tuple[str, ...]) -> Path:
    hub: Any = importlib.import_module("huggingface_hub")
    return Path(hub.snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
