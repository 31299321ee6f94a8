"""A readable name for a machine, from what identifies it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

LONGEST_LABEL: Final = 60
_NOISE: Final = re.compile(
    r"\((r|tm|c)\)|[®™]|@.*|\b\d+-core\b|\bcpu\b|\bprocessor\b|\bwith .* graphics\b"
    r"|\bnvidia corporation\b|\b\d+ ?mib\b",
    re.IGNORECASE,
)


def machine_label(identity: Mapping[str, str]) -> str:
    """Return a name such as ``amd-epyc-2c-24gib-linux`` or ``nvidia-h200-x1-amd-epyc-16c-…``.

    Made of ``[a-z0-9._-]`` alone, at most :data:`LONGEST_LABEL` long, the same for the same
    *identity*; fit for a folder. Where it would be too long the processor's name gives way.
    Different machines may share a label: the identity itself tells them apart.
    """
    gpus = _gpus_part(identity.get("gpus", "none"))
    tail = [
        f"{_slug(identity.get('logical_processors', 'unknown'))}c",
        _slug(identity.get("memory", "unknown").replace(" ", "")),
        _system_part(identity.get("os", "unknown")),
    ]
    fixed = "-".join(tail)
    room = max(0, LONGEST_LABEL - len(fixed) - 1)
    head = "-".join(part for part in (gpus, _slug(identity.get("processor", "unknown"))) if part)
    return f"{head[:room].strip('-.')}-{fixed}"[:LONGEST_LABEL].strip("-.")


def _gpus_part(gpus: str) -> str:
    names = [_slug(gpu) for gpu in gpus.split(", ") if gpu and gpu != "none"]
    return "-".join(f"{name}-x{count}" for name, count in sorted(Counter(names).items()))


def _system_part(system: str) -> str:
    name = system.split(maxsplit=1)[0] if system.split() else "unknown"
    return _slug(f"{name} wsl" if system.endswith("WSL") else name)


def _slug(text: str) -> str:
    """Lower-case words joined by ``-``, without the noise of trade names."""
    words = re.sub(r"[^a-z0-9._]+", "-", _NOISE.sub(" ", text).lower())
    return words.strip("-.") or "unknown"
