"""The tokenizer of a variant, and bytes in place of one for random weights without."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pytest_llmbench.engines.fingerprint import files_fingerprint
from pytest_llmbench.engines.model_files import located
from pytest_llmbench.engines.transformers.libraries import Libraries
from pytest_llmbench.engines.transformers.options import TransformersOptions
from pytest_llmbench.engines.transformers.refusals import load_problem
from pytest_llmbench.errors import LoadError

_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "chat_template.jinja",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "spiece.model",
)
_BESIDES: Final = frozenset({"tokenizer_config.json", "chat_template.jinja"})
"""Those that come with a tokenizer and are none."""


class ByteTokenizer:
    """Tokens that are the prompt's bytes; what comes out is shown as numbers.

    It has what the engine asks of a tokenizer of transformers.

    Args:
        torch: the library.
        vocabulary: the model's number of tokens; bytes are taken modulo it.
        ends: the model's end tokens, which are not shown.
    """

    chat_template: None = None

    def __init__(self, torch: Any, vocabulary: int, ends: Iterable[int]) -> None:
        self._torch = torch
        self._vocabulary = vocabulary
        self._ends = frozenset(ends)

    def __call__(self, text: str, *, return_tensors: str) -> dict[str, Any]:  # noqa: ARG002 — theirs
        """Return ``input_ids`` of shape ``(1, bytes)``; an empty text is one zero."""
        ids = [byte % self._vocabulary for byte in text.encode()] or [0]
        return {"input_ids": self._torch.tensor([ids])}

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool) -> str:
        """Return the numbers of *ids*, without end tokens if *skip_special_tokens*."""
        hidden = self._ends if skip_special_tokens else frozenset()
        return " ".join(str(token) for token in ids if token not in hidden)


def load_tokenizer(libraries: Libraries, asked: TransformersOptions, base_dir: Path) -> Any:
    """Return the tokenizer that *asked* names; ``None`` if random weights come without one.

    Raises:
        LoadError: there is none, or it can't be read.
    """
    source, own = tokenizer_source(asked, base_dir)
    made_up = asked.weights == "random" and not own
    if made_up and Path(source).is_dir() and not _tokenizer_files(Path(source)):
        return None
    try:
        return libraries.transformers.AutoTokenizer.from_pretrained(
            source,
            revision=None if own else asked.revision,
            trust_remote_code=asked.trust_remote_code,
        )
    except Exception as exc:  # the library tokenizers raises plain ones
        if made_up and not Path(source).is_dir() and isinstance(exc, (OSError, ValueError)):
            return None  # the hub has a config of that name, and no tokenizer
        raise LoadError(_tokenizer_problem(asked, base_dir, exc)) from exc


def check_vocabulary(tokenizer: Any, vocabulary: int) -> None:
    """Refuse a tokenizer whose tokens a model of *vocabulary* tokens has no embedding for."""
    if len(tokenizer) > vocabulary:
        raise LoadError(
            f"the tokenizer has {len(tokenizer)} tokens, but the model's vocabulary holds "
            f"{vocabulary}; correct tokenizer, or leave it out to send bytes"
        )


def tokenizer_source(asked: TransformersOptions, base_dir: Path) -> tuple[str, bool]:
    """Return the folder or name that the tokenizer comes from, and whether it has its own key."""
    name = asked.tokenizer or asked.model
    folder = located(name, base_dir)
    return str(folder) if folder.is_dir() else name, asked.tokenizer is not None


def tokenizer_fingerprint(folder: Path) -> str:
    """Return 16 hex digits for the tokenizer's files in *folder*."""
    return files_fingerprint(_tokenizer_files(folder))


def _tokenizer_problem(asked: TransformersOptions, base_dir: Path, exc: Exception) -> str:
    """Blame the key that the tokenizer comes from; a model's folder may have none."""
    if asked.tokenizer is not None:
        folder = located(asked.tokenizer, base_dir)
        return load_problem("tokenizer", asked.tokenizer, folder, exc)
    folder = located(asked.model, base_dir)
    problem = load_problem("model", asked.model, folder, exc)
    vocabularies = {path.name for path in _tokenizer_files(folder)} - _BESIDES
    if not folder.is_dir() or vocabularies:
        return problem
    return f"{problem}. {folder} has no tokenizer; save one there, or write tokenizer = a folder's"


def _tokenizer_files(folder: Path) -> list[Path]:
    return [folder / name for name in _FILES if (folder / name).is_file()]
