"""From the keys of a variant to a server that answers with its model loaded, and back."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines.loopback import is_loopback, processes_listening
from pytest_llmbench.engines.openai import exo
from pytest_llmbench.engines.openai.client import Client
from pytest_llmbench.engines.openai.options import OpenAIOptions
from pytest_llmbench.engines.openai.probe import ServerFacts, ask_server, at_least, is_ready
from pytest_llmbench.engines.openai.profiles import EXO
from pytest_llmbench.engines.openai.request import CHAT, Asked, body_of, defeat_of
from pytest_llmbench.engines.openai.serve import Server, answers, free_port
from pytest_llmbench.engines.openai.stream import read_answer
from pytest_llmbench.errors import EngineError, LoadError

_HELLO: Final = Asked((Message(role="user", content="Hello"),), nonce="0")
_ONE_TOKEN: Final = Parameters(
    max_new_tokens=1, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)


class Connection:
    """A server that was found or started.

    Args:
        options: the variant's keys.
        folder: where the server is started.

    Attributes:
        client: asks it.
        facts: what it says of itself.
        release: what its answers say that made them, where they do; ``None`` until one was seen.

    Raises:
        LoadError: it can't be reached or started, or has no model.
    """

    def __init__(self, options: OpenAIOptions, folder: Path) -> None:
        self._options = options
        self._port = free_port() if "{port}" in options.url else None
        self._server: Server | None = None
        self._instance: str | None = None
        self.release: str | None = None
        self.client = Client(options, self._filled(options.url), _key(options))
        try:
            if options.serve:
                self._start(folder)
            self.facts: ServerFacts = ask_server(self.client, options.model, options.profile)
            self._have_model_loaded()
        except BaseException as exc:
            said = self.last_words()
            self.close()
            if isinstance(exc, EngineError) and not isinstance(exc, LoadError):
                raise LoadError(f"{exc}{said}") from exc
            raise

    def close(self) -> None:
        """Undo what was made: an instance, a server. May be called again."""
        if self._instance is not None:
            exo.remove_instance(self.client, self._instance)
            self._instance = None
        self.client.close()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def processes(self) -> tuple[int, ...] | None:
        """Return the server's processes; ``None`` where they can't be known."""
        if self._server is not None:
            return self._server.processes()
        if self._options.serve:
            return ()
        return processes_listening(self.client.url) if is_loopback(self.client.url) else None

    def last_words(self) -> str:
        """Return what a server of ours printed last, as the end of a sentence."""
        return "" if self._server is None else self._server.last_words()

    def surely_uncached(self) -> bool:
        """Whether no prompt comes from a cache, though the server does not say so."""
        profile, options = self.facts.profile, self._options
        if profile.uncached_from is None or defeat_of(options, profile) != profile.defeat:
            return False
        if profile.unless is not None:
            words = " ".join(options.serve)
            return bool(options.serve) and profile.unless not in words
        return at_least(self.facts.version, profile.uncached_from)

    def _start(self, folder: Path) -> None:
        if answers(self.client.url):
            raise LoadError(
                f"serve = {list(self._options.serve)} was to start a server at {self.client.url}, "
                "but one answers there already; stop that one, leave serve out to measure it, or "
                "write {port} for a free port"
            )
        command = tuple(self._filled(word) for word in self._options.serve)
        variables = {name: self._filled(text) for name, text in self._options.serve_env.items()}
        self._server = Server(command, folder, variables)
        self._server.wait(lambda: is_ready(self.client, self._options.ready), self.client.root)

    def _have_model_loaded(self) -> None:
        profile, options = self.facts.profile, self._options
        if profile is EXO:
            self._instance = exo.ensure_instance(self.client, options.model)
        if profile.loads_late:
            body = body_of(_HELLO, _ONE_TOKEN, options, profile, stream=False)
            answer = read_answer(self.client.post(self.client.url + CHAT, body))
            self.release = answer.fingerprint

    def _filled(self, text: str) -> str:
        """Return *text* with the placeholders of ``serve`` filled in."""
        text = text.replace("{port}", str(self._port)).replace("{python}", sys.executable)
        return text.replace("{model}", self._options.model)


def _key(options: OpenAIOptions) -> str | None:
    """Return the key in the environment variable that is named."""
    if options.api_key_env is None:
        return None
    key = os.environ.get(options.api_key_env)
    if not key:
        raise LoadError(
            f"api_key_env names the environment variable {options.api_key_env}, which is not set; "
            f"type: export {options.api_key_env}=…, or correct the name"
        )
    return key
