"""One model on one server: whether it is there, loading, unloading, and small questions to it."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from pytest_llmbench.engines.ollama.answers import (
    Chunk,
    Listed,
    Progress,
    Ps,
    Running,
    Shown,
    Tags,
    Version,
)
from pytest_llmbench.engines.ollama.client import Client, ServerProblem
from pytest_llmbench.engines.ollama.options import OllamaOptions

_LIBRARY: Final = "registry.ollama.ai/library/"
_UNLOAD_S: Final = 60.0
_LOOK_S: Final = 0.05


class ServedModel:
    """The model that *options* name, on the server of *client*.

    Every method raises :class:`.ServerProblem` where the server can't be asked, or refuses.
    """

    def __init__(self, client: Client, options: OllamaOptions) -> None:
        self._client = client
        self._options = options
        self.name = full_name(options.model)

    @property
    def common(self) -> dict[str, object]:
        """What every request that may load the model has to say, and alike each time.

        ``shift: false``: an answer ends where the context does, and nothing is forgotten.
        """
        return {
            "model": self._options.model,
            "keep_alive": _duration(self._options.keep_alive),
            "shift": False,
        }

    def version(self) -> str:
        """Return the server's version."""
        return server_version(self._client)

    def shown(self) -> Shown:
        """Return what the server knows of the model; a problem of status 404 where it is absent."""
        return self._client.post("/api/show", {"model": self._options.model}, Shown)

    def listed(self) -> Listed | None:
        """Return the model's entry on the server's disk."""
        models = self._client.get("/api/tags", Tags).models or []
        return next((model for model in models if self._is(model.name)), None)

    def running(self) -> Running | None:
        """Return the model's entry in the server's memory, ``None`` where it is not loaded."""
        models = self._client.get("/api/ps", Ps).models or []
        return next((model for model in models if self._is(model.name)), None)

    def others(self) -> tuple[str, ...]:
        """Return the names of other models in the server's memory."""
        models = self._client.get("/api/ps", Ps).models or []
        return tuple(sorted(model.name for model in models if not self._is(model.name)))

    def pull(self) -> None:
        """Fetch the model from where the server gets its models."""
        body = {"model": self._options.model, "stream": True}
        last = Progress()
        with self._client.stream("/api/pull", body) as lines:
            for line in lines:
                last = _decoded(line, Progress)
                if last.error is not None:
                    raise ServerProblem(f"pull = true, but it failed: {last.error}")
        if last.status != "success":
            raise ServerProblem(
                f"pull = true, but it broke off at {last.status!r}; type: "
                f"ollama pull {self._options.model}"
            )

    def load(self) -> None:
        """Load the model, or leave it as it is where it is loaded with the same options."""
        body = {**self.common, "options": self._options.runner_options, "stream": False}
        self._client.post("/api/generate", body, Chunk)

    def load_anew(self) -> float:
        """Load the model, unloaded first where it is loaded; return the seconds of the loading."""
        self.unload()
        began = time.perf_counter()
        self.load()
        return time.perf_counter() - began

    def unload(self) -> None:
        """Unload the model, and wait until the server says that it is gone.

        The server only notes the wish and answers at once.
        """
        if self.running() is None:
            return
        body = {"model": self._options.model, "keep_alive": 0, "stream": False}
        self._client.post("/api/generate", body, Chunk)
        until = time.monotonic() + _UNLOAD_S
        while self.running() is not None:
            if time.monotonic() > until:
                raise ServerProblem(
                    f"the server still holds {self.name} {_UNLOAD_S:g} s after it was told to "
                    "unload it; something else uses it: stop that"
                )
            time.sleep(_LOOK_S)

    def ask(self, prompt: str) -> Chunk:
        """Return the figures of one token said to *prompt*, without a template."""
        options = {**self._options.runner_options, "num_predict": 1, "temperature": 0.0, "seed": 0}
        body = {
            **self.common,
            "prompt": prompt,
            "raw": True,
            "truncate": False,
            "options": options,
            "stream": False,
        }
        return self._client.post("/api/generate", body, Chunk)

    def _is(self, name: str) -> bool:
        return full_name(name).casefold() == self.name.casefold()


def server_version(client: Client) -> str:
    """Return the version of the server that *client* asks.

    Raises:
        ServerProblem: it can't be asked, or is none of Ollama's.
    """
    try:
        return client.get("/api/version", Version).version
    except ServerProblem as exc:
        if exc.status != 404:
            raise
        raise ServerProblem(
            f"no Ollama answers at {client.address}: the server there has no /api/version (404); "
            'correct base_url or OLLAMA_HOST, or write engine = "openai" for another server',
            status=exc.status,
            said=exc.said,
        ) from exc


def full_name(name: str) -> str:
    """Return *name* with its tag, as the server's lists have it."""
    bare = name.removeprefix(_LIBRARY)
    return bare if ":" in bare.rpartition("/")[2] else f"{bare}:latest"


def _decoded(line: bytes, kind: type[Progress]) -> Progress:
    try:
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError as exc:
        raise ServerProblem(
            f"the server sent a line that is not its API's: {line[:200]!r}"
        ) from exc


def _duration(keep_alive: str | int) -> str | int | float:
    """Return *keep_alive* as the API takes it: a number of seconds is no text."""
    try:
        return float(keep_alive) if isinstance(keep_alive, str) else keep_alive
    except ValueError:
        return keep_alive
