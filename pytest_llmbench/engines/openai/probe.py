"""Which server answers, and what it says of itself and of its model."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Final
from urllib.parse import urlsplit

from pytest_llmbench.engines.openai.client import Client, UnreachableError, as_object, objects_in
from pytest_llmbench.engines.openai.profiles import (
    EXO,
    LLAMA_CPP_PYTHON,
    LLAMA_SERVER,
    LM_STUDIO,
    MLX_LM,
    OPENAI,
    OTHER,
    PROFILES,
    TRANSFORMERS,
    VLLM,
    Profile,
)

_OWNERS: Final[Mapping[str, Profile]] = {
    "vllm": VLLM,
    "llamacpp": LLAMA_SERVER,
    "me": LLAMA_CPP_PYTHON,
    "exo": EXO,
}
"""The profile by ``owned_by`` in the list of models."""

_UP: Final = (200, 204, 401, 403)
"""Statuses of a server that is there; the last two ask for a key."""

_MIB: Final = 2**20


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What a server says of itself.

    Attributes:
        profile: which one it is.
        version: of the server, where it says so.
        model: facts that have to be equal for results to compare.
        context_tokens: longest prompt plus output.
        model_bytes: the size of the model.
    """

    profile: Profile
    version: str | None
    model: dict[str, str]
    context_tokens: int | None
    model_bytes: int | None


def is_ready(client: Client, path: str | None) -> bool:
    """Whether the server answers that it can be asked.

    Without *path* ``/health`` is asked, and the list of models where there is none.
    """
    try:
        answer = client.look(client.root + (path or "/health"))
        if path is None and answer.status_code in (404, 405):
            answer = client.look(f"{client.url}/models")
    except UnreachableError:
        return False
    return answer.status_code in _UP


def ask_server(client: Client, model: str, profile: str) -> ServerFacts:
    """Return what the server says; *profile* is the key's value.

    Raises:
        UnreachableError: nothing answers.
    """
    response = client.look(f"{client.url}/models")
    models = objects_in(as_object(response.content).get("data"))
    server = str(response.headers.get("server", ""))
    known = PROFILES.get(profile) or _recognized(client, models, server)
    entry = _entry(models, model)
    return ServerFacts(
        profile=known,
        version=_version(client, known),
        model=_model(client, known, entry),
        context_tokens=_context(client, known, entry),
        model_bytes=_bytes(entry),
    )


def _recognized(client: Client, models: list[dict[str, object]], server: str) -> Profile:
    host = urlsplit(client.url).hostname or ""
    if host.endswith((".openai.com", ".openai.azure.com")):
        return OPENAI
    for entry in models:
        if (owner := str(entry.get("owned_by"))) in _OWNERS:
            return _OWNERS[owner]
    if server.startswith("BaseHTTP") and client.find(f"{client.root}/health").get("status"):
        return MLX_LM
    if "/load_model" in _table(client.find(f"{client.root}/openapi.json").get("paths")):
        return TRANSFORMERS
    if "data" in client.find(f"{client.root}/api/v0/models"):
        return LM_STUDIO
    return OTHER


def _entry(models: list[dict[str, object]], model: str) -> dict[str, object]:
    """Return what is said of *model*: its entry, or the only one."""
    named = [entry for entry in models if model in (entry.get("id"), entry.get("name"))]
    return next(iter(named), models[0] if len(models) == 1 else {})


def _version(client: Client, profile: Profile) -> str | None:
    if profile is VLLM:
        found = client.find(f"{client.root}/version").get("version")
    elif profile is LLAMA_SERVER:
        found = client.find(f"{client.root}/props").get("build_info")
    elif profile is LLAMA_CPP_PYTHON:
        found = _table(client.find(f"{client.root}/openapi.json").get("info")).get("version")
    else:
        return None
    return None if found is None else str(found)


def _model(client: Client, profile: Profile, entry: dict[str, object]) -> dict[str, str]:
    """Return the served model's name without its folder, and what was done to it."""
    if profile is LM_STUDIO:
        about = client.find(f"{client.root}/api/v0/models/{entry.get('id')}")
    else:
        about = entry
    meta = _table(entry.get("meta"))
    told = {
        "served": PurePath(str(entry["id"])).name if "id" in entry else None,
        "quantization": about.get("quantization"),
        "format": about.get("compatibility_type"),
        "parameters": meta.get("n_params"),
    }
    return {name: str(value) for name, value in told.items() if value}


def _context(client: Client, profile: Profile, entry: dict[str, object]) -> int | None:
    if profile is LLAMA_SERVER:
        defaults = client.find(f"{client.root}/props").get("default_generation_settings")
        found = _table(defaults).get("n_ctx")
    else:
        found = entry.get("max_model_len") or entry.get("context_length")
    return found if isinstance(found, int) and found > 0 else None


def _bytes(entry: dict[str, object]) -> int | None:
    size = _table(entry.get("meta")).get("size")
    if isinstance(size, int):
        return size
    mebibytes = entry.get("storage_size_megabytes")
    return mebibytes * _MIB if isinstance(mebibytes, int) and mebibytes > 0 else None


def at_least(version: str | None, lowest: tuple[int, ...]) -> bool:
    """Whether *version* is *lowest* or later; an unknown one is only where any will do."""
    if not lowest:
        return True
    numbers = tuple(int(part) for part in re.findall(r"\d+", version or "")[: len(lowest)])
    return numbers >= lowest


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
