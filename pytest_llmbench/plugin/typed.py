"""What was typed and when, as it may be kept: without what looks like a secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from pytest_llmbench.domain.secret import HIDDEN, is_secret, without_secrets

_SET = "--llmbench-set"


def now() -> str:
    """Return the time in ISO 8601, UTC, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()


def typed_words(arguments: Iterable[object]) -> tuple[str, ...]:
    """Return the command that pytest was called with; values of secrets are hidden.

    Secret are those of options that are called so, and those of a key of the configuration that
    ``--llmbench-set`` overrides.
    """
    hidden = without_secrets(["pytest", *map(str, arguments)])
    assert isinstance(hidden, list)
    return tuple(_without_set_secrets(hidden))


def _without_set_secrets(words: Iterable[str]) -> Iterator[str]:
    before = ""
    for word in words:
        option, _, rest = word.partition("=") if word.startswith(f"{_SET}=") else (before, "", word)
        key, equals, _ = rest.partition("=")
        if option == _SET and equals and any(map(is_secret, key.split("."))):
            yield f"{word.removesuffix(rest)}{key}={HIDDEN}"
        else:
            yield word
        before = word
