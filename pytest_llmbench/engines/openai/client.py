"""HTTP to one server, with everything that can go wrong said in a sentence.

A proxy of the environment never stands before a server on this machine: it would be measured too.
Over plain HTTP every request has a connection of its own, so that none meets one that the server
has just given up; over HTTPS, where that costs a handshake, they are kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

import msgspec

from pytest_llmbench.engines.loopback import is_loopback
from pytest_llmbench.engines.openai.options import OpenAIOptions
from pytest_llmbench.errors import CaseError

if TYPE_CHECKING:
    import httpx

_LONGEST: Final = 400
_QUICK_S: Final = 5.0


class UnreachableError(CaseError):
    """Nothing answers at the server's address."""


class HTTPStatusError(CaseError):
    """The server answered with a status that says no; *status* is its number."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """One connection pool to the API at *url*.

    Args:
        options: headers and time-outs.
        url: where the API is, no slash at its end.
        key: sent as a bearer token; ``None`` sends none.
    """

    def __init__(self, options: OpenAIOptions, url: str, key: str | None) -> None:
        import httpx

        self.url = url
        self._options = options
        self._key_sent = key is not None
        authorization = {} if key is None else {"Authorization": f"Bearer {key}"}
        seconds = options.read_timeout_s
        self._http = httpx.Client(
            headers={**authorization, **options.headers},
            timeout=httpx.Timeout(seconds, connect=options.connect_timeout_s),
            limits=httpx.Limits(max_keepalive_connections=None if self.is_encrypted else 0),
            trust_env=not is_loopback(url),
        )

    @property
    def root(self) -> str:
        """The server's address, without the API's own path."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def is_encrypted(self) -> bool:
        """Whether a connection costs a handshake."""
        return self.url.startswith("https:")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def look(self, url: str) -> httpx.Response:
        """Return the answer to a quick GET, whatever it says.

        Raises:
            UnreachableError: there is none.
        """
        import httpx

        try:
            return self._http.get(url, timeout=_QUICK_S)
        except httpx.HTTPError as exc:
            raise self._unreachable(exc) from exc

    def get(self, url: str) -> dict[str, object]:
        """Return the JSON object at *url*."""
        response = self.look(url)
        if not response.is_success:
            raise self._refused(response)
        return as_object(response.content)

    def find(self, url: str) -> dict[str, object]:
        """Return the JSON object at *url*; empty where there is none."""
        try:
            response = self.look(url)
        except UnreachableError:
            return {}
        return as_object(response.content) if response.is_success else {}

    def models(self) -> list[dict[str, object]]:
        """Return what the server says it serves; empty where it does not say."""
        listed = self.find(f"{self.url}/models").get("data")
        return objects_in(listed)

    def post(self, url: str, body: Mapping[str, object]) -> dict[str, object]:
        """Return the answer to a POST, as a JSON object."""
        import httpx

        try:
            response = self._http.post(url, content=_encode(body), headers=_JSON)
        except httpx.HTTPError as exc:
            self._fail(exc, 0)
        if not response.is_success:
            raise self._refused(response)
        answer = as_object(response.content)
        if "error" in answer:
            raise CaseError(f"the server at {self.url} answered: {problem_in(answer)}")
        return answer

    def delete(self, url: str) -> None:
        """Send a DELETE; what it answers is not looked at."""
        import httpx

        with contextlib.suppress(httpx.HTTPError):
            self._http.delete(url, timeout=_QUICK_S)

    @contextlib.contextmanager
    def stream(self, path: str, body: Mapping[str, object]) -> Iterator[Iterator[str]]:
        """Yield the data of the server's events as they arrive; comments are left out."""
        import httpx
        import httpx_sse

        count = 0

        def events(source: httpx_sse.EventSource) -> Iterator[str]:
            nonlocal count
            for event in source.iter_sse():
                count += 1
                yield event.data

        try:
            with httpx_sse.connect_sse(
                self._http, "POST", self.url + path, content=_encode(body), headers=dict(_JSON)
            ) as source:
                self._check(source.response)
                yield events(source)
        except httpx.HTTPError as exc:
            self._fail(exc, count)

    def _check(self, response: httpx.Response) -> None:
        if not response.is_success:
            response.read()
            raise self._refused(response)
        kind = response.headers.get("content-type", "")
        if "text/event-stream" not in kind:
            response.read()
            raise CaseError(
                f"the server at {self.url} was asked for a stream and answered with {kind!r}: "
                f"{problem_in(as_object(response.content)) or _shortened(response.text)}; only "
                "servers that stream can be measured"
            )

    def _fail(self, exc: httpx.HTTPError, events: int) -> NoReturn:
        """Raise what stands for *exc*, after so many events of a stream."""
        import httpx

        if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout):
            raise self._unreachable(exc) from exc
        if isinstance(exc, httpx.ReadTimeout):
            raise CaseError(
                f"the server at {self.url} sent nothing for {self._options.read_timeout_s:g} s, "
                f"after {events} pieces of its answer; if it needs longer, raise read_timeout_s"
            ) from exc
        raise CaseError(
            f"the connection to the server at {self.url} broke after {events} pieces of its "
            f"answer ({type(exc).__name__}: {exc}); look at what the server printed"
        ) from exc

    def _unreachable(self, exc: httpx.HTTPError) -> UnreachableError:
        return UnreachableError(
            f"no server answers at {self.url} ({type(exc).__name__}: {exc}); start it, correct "
            "base_url, or let serve = [...] start it"
        )

    def _refused(self, response: httpx.Response) -> HTTPStatusError:
        status = response.status_code
        said = problem_in(as_object(response.content)) or _shortened(response.text)
        message = f"the server at {self.url} answered {status}: {said}"
        hint = self._hint(response)
        return HTTPStatusError(f"{message}; {hint}" if hint else message, status)

    def _hint(self, response: httpx.Response) -> str:
        status = response.status_code
        if response.is_redirect:
            where = response.headers.get("location", "nowhere")
            return f"it redirects to {where}; write the address that it means as base_url"
        if status in (401, 403):
            return self._key_hint()
        if status == 404:
            names = ", ".join(str(entry.get("id")) for entry in self.models())
            there = f"it serves: {names}" if names else "it does not say what it serves"
            return f"{there}; correct model = {self._options.model!r} or base_url"
        return ""

    def _key_hint(self) -> str:
        name = self._options.api_key_env
        if self._key_sent:
            return f"it does not take the key in the environment variable {name}; correct that"
        return 'name the environment variable that holds its key: api_key_env = "…"'


_JSON: Final = {"Content-Type": "application/json"}


def as_object(data: bytes | str) -> dict[str, object]:
    """Return *data* as a JSON object; empty where it is none."""
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError):
        return {}
    return decoded if isinstance(decoded, dict) else {}


def problem_in(answer: Mapping[str, object]) -> str:
    """Return the words of an answer that says no; empty where it has none."""
    error = answer.get("error", answer.get("detail", answer.get("message")))
    if isinstance(error, dict):
        error = error.get("message", error)
    return "" if error is None else _shortened(str(error))


def _shortened(text: str) -> str:
    plain = " ".join(text.split()).rstrip(".;")
    return plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…"


def _encode(body: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(body)


def objects_in(value: object) -> list[dict[str, object]]:
    """Return the JSON objects in a list; empty where *value* is none."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
