"""Whether there is a server, for ``llmbench doctor``."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from typing import Final

from pytest_llmbench.engines.ollama.address import server_address
from pytest_llmbench.engines.ollama.answers import Ps, Tags
from pytest_llmbench.engines.ollama.client import Client, ServerProblem
from pytest_llmbench.engines.ollama.model import server_version
from pytest_llmbench.engines.protocol import Survey

_WAIT_S: Final = 2.0


def survey(environment: Mapping[str, str] | None = None) -> Survey:
    """Return what the server says that *environment* (this process's) names; imports httpx."""
    httpx = importlib.import_module("httpx")
    try:
        address = server_address(None, os.environ if environment is None else environment)
    except ValueError as exc:
        return Survey(notes=(str(exc),))
    client = Client(httpx, address, connect_s=_WAIT_S, read_s=_WAIT_S)
    try:
        return Survey(notes=(_server(client),))
    except ServerProblem as exc:
        return Survey(notes=(str(exc),))
    finally:
        client.close()


def _server(client: Client) -> str:
    version = server_version(client)
    models = client.get("/api/tags", Tags).models or []
    loaded = client.get("/api/ps", Ps).models or []
    return (
        f"Ollama {version} answers at {client.address}; models: {len(models)}, in memory: "
        f"{', '.join(model.name for model in loaded) or 'none'}"
    )
