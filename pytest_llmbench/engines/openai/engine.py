"""The adapter: a server is asked as its users ask it, and its answer clocked as it arrives.

Over HTTP a round has chunks and no tokens, and what is counted is the server's own count. A server
without counts in its stream is asked the same once more without one, untimed, before the second
generation of a case; the first one of a variant is its cold one and stays so.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Final
from urllib.parse import urlsplit

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import Position
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import ReportedMemory
from pytest_llmbench.engines.loopback import is_loopback
from pytest_llmbench.engines.openai import exo
from pytest_llmbench.engines.openai.client import HTTPStatusError
from pytest_llmbench.engines.openai.connection import Connection
from pytest_llmbench.engines.openai.files import (
    command_shown,
    identity_of,
    named_files,
    without_folder,
)
from pytest_llmbench.engines.openai.logprobs import asking, positions_in
from pytest_llmbench.engines.openai.options import OpenAIOptions
from pytest_llmbench.engines.openai.profiles import EXO, Fields
from pytest_llmbench.engines.openai.request import (
    COMPLETIONS,
    Asked,
    body_of,
    defeat_of,
    endpoint,
)
from pytest_llmbench.engines.openai.stream import Answer, Counts, read_answer, read_stream
from pytest_llmbench.engines.protocol import Encoded, Generation, Stamps
from pytest_llmbench.errors import CaseError, EngineNotInstalledError

_NO_SUCH_ENDPOINT: Final = (404, 405, 501)
_FLUSH: Final = Parameters(
    max_new_tokens=1, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=False
)


class OpenAIEngine:
    """Asks the server that :class:`OpenAIOptions` describe."""

    def __init__(self) -> None:
        self._options = OpenAIOptions(model="unknown")
        self._connection: Connection | None = None
        self._memory: ReportedMemory | None = None
        self._counted: dict[bytes, Answer] = {}
        self._cold = True
        self._uncounted = False
        self._warned: set[str] = set()

    def start(self) -> None:
        """Import httpx and httpx-sse."""
        try:
            import httpx  # noqa: F401 — absent or not is the question
            import httpx_sse  # noqa: F401
        except ImportError as exc:
            raise EngineNotInstalledError(
                f"the engine 'openai' needs {exc.name or exc}, which is not installed; "
                "type: pip install 'pytest-llmbench[openai]'"
            ) from exc

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:
        """Find the server, or start it, and wait until its model is loaded."""
        self._options = msgspec.convert(options, OpenAIOptions)
        self._connection = Connection(self._options, base_dir)
        try:
            return self._model_facts(base_dir)
        except BaseException:
            self.free()
            raise

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:
        """Get the server ready for the same conditions in every round; it counts the tokens."""
        asked = Asked(messages, nonce=_nonce())
        if not self._cold and self._uncounted:
            self._count(asked, parameters)
        if not self._cold and defeat_of(self._options, self._server.facts.profile) == "flush":
            self._flush(messages)
        if self._server.client.is_encrypted:  # no round pays for the handshake
            self._server.client.models()
        return Encoded(payload=asked, tokens=None)

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        """Ask once, and stamp what arrives."""
        assert isinstance(encoded.payload, Asked), "encode made it"
        if self._server.facts.profile is EXO and parameters.length == "fixed":
            answer = self._benchmark(encoded.payload, parameters, stamps)
        else:
            answer = self._stream(encoded.payload, parameters, stamps)
        counts = self._counts(encoded.payload, parameters, answer)
        self._check_length(parameters, counts)
        cached = self._cached(counts)
        self._cold = False
        return Generation(
            text=answer.text,
            finish_reason=answer.finish,
            cached_prompt_tokens=cached,
            prompt_tokens=counts.prompt,
            output_tokens=counts.output,
            timings=answer.timings,
        )

    def top_logprobs(
        self, messages: tuple[Message, ...], parameters: Parameters
    ) -> tuple[Position, ...] | None:
        """Ask the same once more, whole and untimed, for the most probable tokens."""
        profile, path = self._server.facts.profile, endpoint(parameters)
        if not profile.top_logprobs or parameters.length == "fixed":
            return None
        body = self._body(Asked(messages, nonce=_nonce()), parameters, stream=False)
        body |= asking(path, profile)
        with self._explained(parameters):
            answer = self._server.client.post(self._server.client.url + path, body)
        return positions_in(answer, raw=profile.raw_tokens)

    def free(self) -> None:
        """Stop the server, where we started it; close the connection."""
        if self._connection is not None:
            self._connection.close()

    def processes(self) -> tuple[int, ...] | None:
        """Return the server's processes."""
        return () if self._connection is None else self._connection.processes()

    def reported_memory(self) -> ReportedMemory | None:
        """Return what exo's benchmark last said."""
        return self._memory

    @property
    def _server(self) -> Connection:
        assert self._connection is not None, "load comes first"
        return self._connection

    def _body(self, asked: Asked, parameters: Parameters, *, stream: bool) -> Fields:
        return body_of(asked, parameters, self._options, self._server.facts.profile, stream=stream)

    def _stream(self, asked: Asked, parameters: Parameters, stamps: Stamps) -> Answer:
        body = self._body(asked, parameters, stream=True)
        counts_end = self._server.facts.profile.counts_end
        with (
            self._explained(parameters),
            self._server.client.stream(endpoint(parameters), body) as events,
        ):
            return read_stream(events, stamps, counts_end=counts_end)

    def _benchmark(self, asked: Asked, parameters: Parameters, stamps: Stamps) -> Answer:
        """Ask exo's benchmark, which does not stream: there is nothing to stamp."""
        if endpoint(parameters) == COMPLETIONS:
            raise CaseError(
                "exo answers chats only, and chat = false was asked for; leave chat out"
            )
        stamps.arrivals = "chunks"
        body = self._body(asked, parameters, stream=False)
        with self._explained(parameters):
            answer, self._memory = exo.benchmark(self._server.client, body)
        return answer

    def _count(self, asked: Asked, parameters: Parameters) -> None:
        """Ask for the counts of an answer that is streamed without them, once."""
        key = _key(asked, parameters)
        if key not in self._counted:
            body = self._body(asked, parameters, stream=False)
            url = self._server.client.url + endpoint(parameters)
            with self._explained(parameters):
                self._counted[key] = read_answer(self._server.client.post(url, body))

    def _flush(self, messages: tuple[Message, ...]) -> None:
        """Have the server keep another prompt than this one: it differs from its first token on."""
        other = Message(role="user", content="1" if messages[0].content.startswith("0") else "0")
        body = self._body(Asked((other,), nonce=""), _FLUSH, stream=False)
        with self._explained(_FLUSH):
            self._server.client.post(self._server.client.url + COMPLETIONS, body)

    def _counts(self, asked: Asked, parameters: Parameters, answer: Answer) -> Counts:
        """Return the stream's counts, or those of the same answer without a stream."""
        if answer.counts.output is not None:
            return answer.counts
        self._uncounted = True
        other = self._counted.get(_key(asked, parameters))
        if other is not None and other.text == answer.text and other.counts.output is not None:
            return Counts(
                prompt=other.counts.prompt,
                output=other.counts.output,
                cached=answer.counts.cached,
            )
        if not self._cold:
            self._warn(
                "the server does not say how many tokens a text has: metrics per token are not "
                "measured"
            )
        return answer.counts

    def _check_length(self, parameters: Parameters, counts: Counts) -> None:
        wanted = parameters.max_new_tokens
        if parameters.length == "fixed" and counts.output not in (None, wanted):
            raise CaseError(
                f'length = "fixed" was asked for with max_new_tokens = {wanted}, but the server '
                f"generated {counts.output} tokens; its context may be too short, or it has "
                'further end tokens: lower max_new_tokens, or write length = "natural"'
            )

    def _cached(self, counts: Counts) -> int | None:
        """Return how many tokens of the prompt were not processed; refuse where any."""
        if counts.cached is None:
            if self._server.surely_uncached():
                return 0
            self._warn(
                "the server does not say whether a prompt came from its cache, so that a first "
                "token may have come too soon; turn the cache off where it is started, or write "
                'cache_defeat = "prefix"'
            )
        if counts.cached and not self._cold and self._options.cached_prompt == "refuse":
            raise CaseError(
                f"{counts.cached} of {counts.prompt} prompt tokens came from the server's cache, "
                f"so that the time to the first token is not the prompt's; {self._remedy()}, or "
                'write cached_prompt = "accept" to go on without the metrics of the prompt'
            )
        return counts.cached

    def _remedy(self) -> str:
        profile = self._server.facts.profile
        if defeat_of(self._options, profile) == "prefix":
            return "what stands before the prompt's own line was cached: turn the cache off"
        return profile.remedy

    @contextlib.contextmanager
    def _explained(self, parameters: Parameters) -> Iterator[None]:
        """Add to an error what the server printed, and what an endpoint that is not there means."""
        try:
            yield
        except HTTPStatusError as exc:
            if endpoint(parameters) == COMPLETIONS and exc.status in _NO_SUCH_ENDPOINT:
                raise CaseError(
                    f"chat = false needs {COMPLETIONS}, which this server may not have; leave chat "
                    f"out or write chat = true: {exc}"
                ) from exc
            raise CaseError(str(exc)) from exc
        except CaseError as exc:
            raise CaseError(f"{exc}{self._server.last_words()}") from exc

    def _warn(self, message: str) -> None:
        if message not in self._warned:
            self._warned.add(message)
            warnings.warn(message, stacklevel=2)

    def _check_name(self, served: str | None) -> None:
        """Some servers answer to any name: say so where it is not the model's that they have."""
        asked = PurePath(self._options.model).name
        if served is not None and served != asked:
            self._warn(f"the server has the model {served!r}; it was asked for {asked!r}")

    def _model_facts(self, base_dir: Path) -> ModelFacts:
        options, facts = self._options, self._server.facts
        files = named_files(options.serve, options.model, base_dir)
        url = self._server.client.url
        self._check_name(facts.model.get("served"))
        told = {
            "model": without_folder(options.model, files),
            "profile": facts.profile.name,
            **facts.model,
            "weights": identity_of(files.values()),
            "server": "" if is_loopback(url) else urlsplit(url).hostname or "",
            "size": str(facts.model_bytes or ""),
            "extra_body": _fingerprint(options.extra_body),
            "cache_defeat": defeat_of(options, facts.profile),
        }
        settings = {
            "server_version": facts.version or self._server.release or "",
            "serve": command_shown(options.serve),
        }
        return ModelFacts(
            identity={name: value for name, value in told.items() if value},
            settings={name: value for name, value in settings.items() if value},
            model_bytes=facts.model_bytes,
            context_tokens=facts.context_tokens,
            device="server",
        )


def _nonce() -> str:
    """Return twelve digits apart: in every tokenizer as many tokens as any other twelve."""
    return " ".join(secrets.choice("0123456789") for _ in range(12))


def _key(asked: Asked, parameters: Parameters) -> bytes:
    return msgspec.json.encode([asked.messages, parameters])


def _fingerprint(body: Mapping[str, object]) -> str:
    """Return 16 hex digits for *body*: it may hold what is not to be kept."""
    if not body:
        return ""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:16]
