"""Where the server is: ``base_url``, else the environment's ``OLLAMA_HOST``, else the usual port.

Read in Ollama's ``envconfig``: ``OLLAMA_HOST`` may be a host, ``host:port``, ``:port`` or an
address, in quotation marks or not. Without a scheme the port is 11434; an address begun with
``http://`` or ``https://`` has the scheme's own. It is also what the server listens on, so that it
may be ``0.0.0.0``, which a client has to read as this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

PORT: Final = 11434
_HERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 — read, not bound
_PORTS: Final = {"http": 80, "https": 443}


def server_address(base_url: str | None, environment: Mapping[str, str]) -> str:
    """Return the server's address, complete and without a slash at its end.

    Raises:
        ValueError: it is not an address; the message says which one, and what to write.
    """
    told = base_url if base_url is not None else environment.get("OLLAMA_HOST", "")
    source = "base_url" if base_url is not None else "the environment's OLLAMA_HOST"
    problem = address_problem(told) if told.strip(" \t\"'") else None
    if problem is not None:
        raise ValueError(f"{source}: {problem}")
    parts = _parts(told)
    host = _HERE.get(parts.hostname or "", parts.hostname or "")
    if ":" in host:
        host = f"[{host}]"
    port = parts.port or (_PORTS[parts.scheme] if "://" in told else PORT)
    return f"{parts.scheme}://{host}:{port}{parts.path.rstrip('/')}"


def address_problem(told: str) -> str | None:
    """Return what is wrong with *told* as the server's address, ``None`` where nothing is."""
    remedy = 'write it as "http://127.0.0.1:11434" or "127.0.0.1:11434"'
    try:
        parts = _parts(told)
        port = parts.port
    except ValueError as exc:
        return f"{told!r} is no address ({exc}); {remedy}"
    if parts.path.rstrip("/").endswith("/v1"):
        return f"{told!r} is the server's OpenAI-compatible side; leave /v1 out"
    if parts.scheme not in _PORTS or port == 0 or _has_rest(parts):
        return f"{told!r} is no address of a server; {remedy}"
    return None


def _parts(told: str) -> SplitResult:
    bare = told.strip(" \t\"'")
    return urlsplit(bare if "://" in bare else f"http://{bare}")


def _has_rest(parts: SplitResult) -> bool:
    """Whether there is what no server's address has: a question, a fragment, a blank, a name."""
    host = parts.hostname or ""
    return bool(parts.query or parts.fragment or parts.username) or any(c in " /\\" for c in host)
