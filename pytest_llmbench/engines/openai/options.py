"""The keys of a variant under ``engine = "openai"``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from pytest_llmbench.domain.claim import AUTO, PROCESS_BYTES, Claim, total
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.model_files import hub_folder
from pytest_llmbench.engines.model_size import file_bytes, weight_bytes
from pytest_llmbench.engines.openai.files import named_files

ProfileName = Literal[
    "auto",
    "openai",
    "vllm",
    "llama-server",
    "llama-cpp-python",
    "mlx-lm",
    "transformers",
    "lm-studio",
    "exo",
    "other",
]
CacheDefeat = Literal["auto", "request", "flush", "prefix", "none"]

_OWN_PORT: Final = "http://127.0.0.1:{port}/v1"
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_URL: Final = re.compile(r"https?://[^/\s]+")

_ONE_AT_A_TIME: Final = ("llama-cpp-python", "mlx-lm", "transformers", "lm-studio", "exo")
"""Servers that load the model which a request names, in place of another one or beside it."""
_ALL_AT_ONCE: Final = ("openai", "vllm", "llama-server")
"""Servers that hold all their models from the start."""
_RESERVE: Final = ("vllm", "sglang")
"""Servers that take a share of the whole memory for their caches, whatever the model is."""
_UNTOLD: Final = 2
"""Bytes in memory for each byte of a file, where nobody tells what it is loaded as."""


class OpenAIOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "openai"``.

    Attributes:
        model: the model's name, as the server knows it.
        base_url: where the API is, ``/v1`` included; ``{port}`` stands for a free port where
            *serve* starts the server. May be left out then.
        profile: which server it is; ``auto`` asks it.
        api_key_env: the environment variable that holds the key. Never the key itself.
        headers: sent with every request.
        extra_body: fields put into every generation's request, over ours.
        fixed_body: fields put into it where the length is fixed: what makes a server go on past
            the end token, where the profile knows of nothing.
        serve: the command that starts the server, in the configuration's folder: ``{port}``,
            ``{python}`` (the variant's interpreter) and ``{model}`` are put in.
        serve_env: environment variables for it, on top of ours.
        ready: the path that answers once the server is ready, below the server's root; left out,
            ``/health`` where there is one, else the list of models.
        cache_defeat: how a cached prompt is kept out of a round, without which its first token
            would come too soon. ``request`` asks the server not to use its cache; ``flush`` sends
            another prompt before the round, untimed; ``prefix`` puts a line that differs in every
            round before the prompt, which changes what is asked: texts may then differ between
            rounds and from other engines'; ``none`` does nothing; ``auto`` is the least of these
            that works with the profile.
        cached_prompt: what happens where a prompt came from a cache all the same: ``refuse``
            fails the case, ``accept`` leaves out the metrics that the prompt is part of.
        connect_timeout_s: seconds to wait for a connection.
        read_timeout_s: seconds to wait for the next piece of an answer.
    """

    model: Annotated[str, Meta(min_length=1)]
    base_url: str | None = None
    profile: ProfileName = "auto"
    api_key_env: Annotated[str, Meta(min_length=1)] | None = None
    headers: dict[str, str] = {}  # noqa: RUF012 — msgspec makes a new one for each
    extra_body: dict[str, object] = {}  # noqa: RUF012
    fixed_body: dict[str, object] = {}  # noqa: RUF012
    serve: tuple[str, ...] = ()
    serve_env: dict[str, str] = {}  # noqa: RUF012
    ready: Annotated[str, Meta(pattern="^/")] | None = None
    cache_defeat: CacheDefeat = "auto"
    cached_prompt: Literal["refuse", "accept"] = "refuse"
    connect_timeout_s: Annotated[float, Meta(gt=0.0)] = 10.0
    read_timeout_s: Annotated[float, Meta(gt=0.0)] = 600.0

    @property
    def url(self) -> str:
        """*base_url*, or the one on a free port; without a slash at its end."""
        return (self.base_url or _OWN_PORT).rstrip("/")

    def problem(self, base_dir: Path) -> tuple[str, str] | None:  # noqa: ARG002 — nothing is read
        """The address has to be one, and a free port has to reach the server."""
        if self.api_key_env is not None and not _VARIABLE.fullmatch(self.api_key_env):
            return "api_key_env", (
                "it is no name of an environment variable (letters, digits and _); write the name "
                'of the one that holds the key, such as "OPENAI_API_KEY", never the key itself'
            )
        if self.base_url is not None and "@" in urlsplit(self.base_url).netloc:
            return "base_url", (
                "it holds a user's name or password, which would be kept with the results; leave "
                "them out, and write api_key_env or headers"
            )
        if self.base_url is not None and not _URL.match(self.base_url):
            return "base_url", (
                f"{self.base_url!r} is no address; write it with http:// or https:// and, where "
                'the server has it, /v1: "http://127.0.0.1:8000/v1"'
            )
        if not self.serve:
            return self._unserved_problem()
        told = any("{port}" in text for text in (*self.serve, *self.serve_env.values()))
        if told != ("{port}" in self.url):
            return self._port_problem(told=told)
        return None

    def claim(self, base_dir: Path) -> Claim:
        """A process that asks, and a server with its model where it is started here.

        Two servers can't listen at one address. Two variants can ask one server for one model,
        but not for two where it may hold a single one.
        """
        if not self.serve:
            mine = self.url if self._may_hold_one_model() else None
            return Claim(
                host_bytes=PROCESS_BYTES,
                device_bytes=None,
                device=None,
                alone_on=mine,
                shared_as=self.model if mine else None,
            )
        served = self._served_bytes(base_dir)
        return Claim(
            host_bytes=total(2 * PROCESS_BYTES, served),
            device_bytes=None,
            device=AUTO,
            alone_on=None if "{port}" in self.url else self.url,
        )

    def _may_hold_one_model(self) -> bool:
        if self.profile in (*_ONE_AT_A_TIME, *_ALL_AT_ONCE):
            return self.profile in _ONE_AT_A_TIME
        return not self.url.startswith("https://")  # a server of one's own, as it seems

    def _served_bytes(self, base_dir: Path) -> int | None:
        """Return the bytes of the model that *serve* loads; ``None`` where nothing here tells."""
        if _reserves(self.serve) or any(map(_fetches, self.serve)):
            return None
        named = set(named_files(self.serve, self.model, base_dir).values())
        weights = {path for path in named if path.suffix != ".jinja"}
        cached = None if weights else hub_folder(self.model, None)
        sizes = [_bytes(path) for path in (weights or [cached])]
        whole = total(*sizes)
        return None if whole is None else _UNTOLD * whole

    def _unserved_problem(self) -> tuple[str, str] | None:
        if self.base_url is None:
            return "base_url", (
                "it is needed where the server is not started here; write the address of the "
                "server, or the command that starts one as serve = [...]"
            )
        if "{port}" in self.base_url:
            return "base_url", (
                "{port} is the free port of a server that serve = [...] starts, and there is no "
                "serve; write the port's number"
            )
        return None

    def _port_problem(self, *, told: bool) -> tuple[str, str]:
        if told:
            return "base_url", (
                "serve starts the server on a free port, {port}, and base_url does not name it; "
                f"write {_OWN_PORT!r}, or leave base_url out"
            )
        return "serve", (
            "it has no {port}, so the server would not hear of the free port in base_url; "
            'put "{port}" where the command takes a port, or write the port\'s number in base_url'
        )


def _reserves(command: tuple[str, ...]) -> bool:
    """Whether *command* starts a server that takes a share of all memory there is."""
    return any(name in word for word in command for name in _RESERVE)


def _fetches(word: str) -> bool:
    """Whether *word* of a command makes llama.cpp's server take its model from the hub."""
    return word.startswith(("-hf", "--hf"))


def _bytes(path: Path | None) -> int | None:
    if path is None:
        return None
    return weight_bytes(path) if path.is_dir() else file_bytes(path)
