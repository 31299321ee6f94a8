"""What a user configured, as it may be shown and kept: without what looks like a secret.

A configuration names the variable that holds a key; but a server's command may need the key
itself, and reports and baselines are shared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

HIDDEN: Final = "…"
_NAME: Final = re.compile(
    r"(api|access)[-_]?key|secret|passw(or)?d|passphrase|authorization|credential|(^|[-_])token$",
    re.IGNORECASE,
)
_USER_INFO: Final = re.compile(r"(?<=://)[^/@\s]+@")


def is_secret(name: str) -> bool:
    """Whether *name* (a key, an option, a header) is one that secrets have."""
    return bool(_NAME.search(name)) and not name.endswith("_env")


def without_secrets(value: object) -> object:
    """Return *value* (builtins of any depth) with every secret in it replaced by ``…``.

    Hidden are values under the names of secrets, what follows such an option in a command
    (``--api-key KEY``, ``--api-key=KEY``), and user and password in an address.
    """
    if isinstance(value, str):
        return _USER_INFO.sub(f"{HIDDEN}@", value)
    if isinstance(value, Mapping):
        return {
            name: HIDDEN if is_secret(str(name)) and entry else without_secrets(entry)
            for name, entry in value.items()
        }
    if isinstance(value, Sequence):
        return type(value)(_words(value))  # type: ignore[call-arg]  # a list or a tuple
    return value


def _words(words: Sequence[object]) -> list[object]:
    """Return *words* with the values of secret options hidden."""
    shown: list[object] = []
    for before, word in zip([None, *words], words, strict=False):
        option, equals, _ = word.partition("=") if isinstance(word, str) else ("", "", "")
        if isinstance(before, str) and _is_option(before):
            shown.append(HIDDEN)
        elif equals and _is_option(option):
            shown.append(f"{option}={HIDDEN}")
        else:
            shown.append(without_secrets(word))
    return shown


def _is_option(word: str) -> bool:
    return word.startswith("-") and is_secret(word.lstrip("-"))
