"""The adapter: Ollama's answers as this package's facts.

The server is a service, neither started nor stopped here. A round's request is prepared in
:meth:`OllamaEngine.encode`, which no clock sees: the prompt cache is defeated there, and a model
that the server dropped meanwhile is loaded again. What a model thinks before it answers is output
as any other: it is stamped, counted and waited for. Its text is not part of the answer, which is
what is scored.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import Position
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import EngineTimings, FinishReason, ReportedMemory
from pytest_llmbench.engines.loopback import is_loopback, processes_listening
from pytest_llmbench.engines.ollama.address import server_address
from pytest_llmbench.engines.ollama.answers import Chunk, Shown, Token, Told
from pytest_llmbench.engines.ollama.client import Client, ServerProblem, raised_as
from pytest_llmbench.engines.ollama.cold import ColdRounds
from pytest_llmbench.engines.ollama.facts import check_usable, model_facts
from pytest_llmbench.engines.ollama.model import ServedModel
from pytest_llmbench.engines.ollama.options import OllamaOptions
from pytest_llmbench.engines.ollama.request import Request, request_for, sampling
from pytest_llmbench.engines.protocol import Encoded, Generation, Stamps
from pytest_llmbench.errors import CaseError, EngineNotInstalledError, LoadError

_SECOND: Final = 1e-9
_TOP: Final = 20
"""Tokens of a place: the most that the API tells."""


class OllamaEngine:
    """Runs :class:`OllamaOptions` on a server of Ollama's."""

    def __init__(self) -> None:
        self._httpx: Any = None  # a library, present only in the worker
        self._options = OllamaOptions(model="none")
        self._shown = Shown()
        self._context: int | None = None
        self._address = ""
        self._client: Client
        self._model: ServedModel
        self._cold: ColdRounds

    def start(self) -> None:
        """Import httpx."""
        try:
            self._httpx = importlib.import_module("httpx")
        except ImportError as exc:
            raise EngineNotInstalledError(
                f"the engine 'ollama' needs {exc.name or exc}, which is not installed; type: "
                "pip install 'pytest-llmbench[openai]'"
            ) from exc

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:  # noqa: ARG002 — no paths
        """Load the model on the server, anew where it was loaded before."""
        asked = self._options = msgspec.convert(options, OllamaOptions)
        self._connect(asked)
        with raised_as(LoadError):
            version = self._model.version()
            self._shown = self._find()
            check_usable(self._shown, asked)
            load_s = self._model.load_anew()
            facts = model_facts(self._model, self._shown, asked, version)
        self._context = facts.context_tokens
        self._cold = ColdRounds(
            self._model,
            asked.cache_defeat,
            load_s=load_s,
            accept=asked.cached_prompt == "accept",
            context=self._context,
        )
        return facts

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:
        """Return the request, everything ready for it; only the answer counts the tokens."""
        request = request_for(messages, parameters.chat, self._shown, self._options.think)
        if parameters.length == "natural":
            with raised_as(CaseError):
                self._cold.prepare()
        return Encoded(payload=request, tokens=None)

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        """Ask, stamping every piece of the answer as it arrives."""
        if parameters.length == "fixed":
            raise CaseError(
                'length = "fixed" was asked for, but Ollama can\'t be told to go on past the end '
                'token; write length = "natural", or run the model with the engine "llama-cpp"'
            )
        request = encoded.payload
        assert isinstance(request, Request), "encode made it"
        self._cold.spend()
        body = {**self._body(request, parameters), "stream": True}
        try:
            text, last = self._streamed(request.path, body, stamps)
        except ServerProblem as exc:
            raise self._case_error(exc) from exc
        self._check(last, parameters)
        return self._generation(request.key, text, last)

    def top_logprobs(
        self, messages: tuple[Message, ...], parameters: Parameters
    ) -> tuple[Position, ...] | None:
        """Ask the same once more, whole and untimed, for the most probable tokens."""
        if parameters.length == "fixed":
            return None
        request = request_for(messages, parameters.chat, self._shown, self._options.think)
        body = {**self._body(request, parameters), "stream": False}
        body |= {"logprobs": True, "top_logprobs": _TOP}
        with raised_as(CaseError):
            told = self._client.post(request.path, body, Told)
        found = (Position.of(_tokens(place)) for place in told.logprobs or ())
        return tuple(place for place in found if place is not None) or None

    def _body(self, request: Request, parameters: Parameters) -> dict[str, object]:
        return {
            **self._model.common,
            **request.body,
            "truncate": False,
            "options": {**sampling(parameters, self._shown), **self._options.runner_options},
        }

    def free(self) -> None:
        """Unload the model, unless it is to stay, and close the connections."""
        try:
            with raised_as(LoadError):
                if self._options.unload:
                    self._model.unload()
        finally:
            self._client.close()

    def processes(self) -> tuple[int, ...] | None:
        """Return the ids of ``ollama serve`` and its children, where they are on this machine."""
        here = is_loopback(self._address)
        return processes_listening(self._address) if here else None

    def reported_memory(self) -> ReportedMemory | None:
        """Return what ``/api/ps`` says: nothing at all once the model is unloaded."""
        client = self._new_client()
        try:
            running = ServedModel(client, self._options).running()
        except ServerProblem:
            return None
        finally:
            client.close()
        if running is None:
            return ReportedMemory(total=0, device=0)
        return ReportedMemory(total=running.size, device=running.size_vram)

    def _connect(self, asked: OllamaOptions) -> None:
        try:
            self._address = server_address(asked.base_url, os.environ)
        except ValueError as exc:
            raise LoadError(str(exc)) from exc
        self._client = self._new_client()
        self._model = ServedModel(self._client, asked)

    def _new_client(self) -> Client:
        options = self._options
        return Client(
            self._httpx,
            self._address,
            connect_s=options.connect_timeout_s,
            read_s=options.read_timeout_s,
        )

    def _find(self) -> Shown:
        """Return what the server knows of the model, fetched if it is absent and may be."""
        try:
            return self._model.shown()
        except ServerProblem as exc:
            if exc.status != 404:
                raise
            if not self._options.pull:
                raise LoadError(
                    f"the server at {self._address} has no model {self._options.model!r}; type: "
                    f"ollama pull {self._options.model}, or write pull = true"
                ) from exc
        self._model.pull()
        return self._model.shown()

    def _streamed(self, path: str, body: object, stamps: Stamps) -> tuple[str, Chunk]:
        """Return the answer's text and its last line."""
        pieces: list[str] = []
        last: Chunk | None = None
        with self._client.stream(path, body) as lines:
            stamps.response()
            for line in lines:
                chunk = _chunk(line)
                if chunk.text or chunk.thought:
                    stamps.chunk()
                pieces.append(chunk.text)
                last = chunk if chunk.done else last
        if last is None:
            raise ServerProblem(
                "the answer broke off before its end; Ollama does that where a model says the "
                "same over and over, and where its runner dies: the server's own log says which"
            )
        return "".join(pieces), last

    def _case_error(self, problem: ServerProblem) -> CaseError:
        said = problem.said.lower()
        if "context" in said and any(word in said for word in ("exceed", "too long", "too large")):
            return CaseError(
                f"its tokens do not fit the model's context of {self._context} tokens (the server: "
                f"{problem.said}); shorten the prompt or raise context"
            )
        return CaseError(str(problem))

    def _check(self, last: Chunk, parameters: Parameters) -> None:
        """Refuse an answer whose figures mean something else than they should."""
        limit = parameters.max_new_tokens
        if last.done_reason not in ("", "stop", "length"):
            raise CaseError(
                f"the server ended with {last.done_reason!r} instead of an answer; correct the "
                "prompt"
            )
        self._cold.check_loaded(last)
        total = last.prompt_eval_count + limit
        full = last.done_reason == "length" and last.eval_count < limit
        if full or (self._context is not None and total > self._context):
            raise CaseError(
                f"its {last.prompt_eval_count} tokens and max_new_tokens = {limit} make {total}, "
                f"but the model's context is {self._context} tokens; shorten the prompt, lower "
                "max_new_tokens or raise context"
            )

    def _generation(self, key: str, text: str, last: Chunk) -> Generation:
        cached = self._cold.cached(key, last)
        tokens = self._cold.prompt_tokens(key, last)
        return Generation(
            text=text,
            finish_reason=_finish(last),
            cached_prompt_tokens=cached,
            prompt_tokens=tokens or None,
            output_tokens=last.eval_count or None,
            timings=_timings(last, tokens - (cached or 0)),
        )


def _tokens(place: Token) -> list[tuple[str, float]]:
    """Return the most probable tokens of *place*, its own among them."""
    told = [(each.token, each.logprob) for each in place.top_logprobs or ()]
    own = place.token, place.logprob
    return told if own in told else [own, *told]


def _chunk(line: bytes) -> Chunk:
    """Return one line of a stream; raises :class:`.ServerProblem` where it is an error."""
    try:
        chunk = msgspec.json.decode(line, type=Chunk)
    except msgspec.DecodeError as exc:
        raise ServerProblem(
            f"the server sent a line that is not its API's ({exc}): {line[:200]!r}"
        ) from exc
    if chunk.error is not None:
        raise ServerProblem(
            f"the server broke off within the answer: {chunk.error}", said=str(chunk.error)
        )
    return chunk


def _finish(last: Chunk) -> FinishReason:
    return "length" if last.done_reason == "length" else "stop"


def _timings(last: Chunk, processed: int) -> EngineTimings:
    """Return the server's own figures of a prompt with so many tokens *processed*.

    All of its runners start the clock of ``eval_duration`` at the first token, which
    ``eval_count`` counts: the duration covers one token less.
    """
    return EngineTimings(
        prefill_tokens=processed or None,
        prefill_s=last.prompt_eval_duration * _SECOND or None,
        decode_tokens=last.eval_count - 1 if last.eval_count > 1 else None,
        decode_s=last.eval_duration * _SECOND or None,
    )
