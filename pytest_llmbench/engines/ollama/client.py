"""HTTP to one server; everything that goes wrong becomes one :class:`ServerProblem`.

A server on this machine is never asked through a proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pytest_llmbench.engines.loopback import is_loopback
from pytest_llmbench.errors import EngineError

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_SHOWN = 200


class ServerProblem(Exception):  # noqa: N818 — a state, which the adapter turns into an error
    """The server can't be asked, refused, or broke off.

    Attributes:
        status: of a refusal by HTTP; ``None`` otherwise.
        said: the server's own words; empty where it said nothing.
    """

    def __init__(self, message: str, *, status: int | None = None, said: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.said = said


@contextmanager
def raised_as(kind: type[EngineError]) -> Iterator[None]:
    """Turn a :class:`ServerProblem` into an error of *kind*."""
    try:
        yield
    except ServerProblem as exc:
        raise kind(str(exc)) from exc


class Client:
    """Asks one server.

    Args:
        httpx: the library.
        address: the server's, complete.
        connect_s: seconds to wait for a connection.
        read_s: seconds to wait for the next piece of an answer.
    """

    def __init__(self, httpx: Any, address: str, *, connect_s: float, read_s: float) -> None:
        self._httpx = httpx
        self.address = address
        self._connect_s, self._read_s = connect_s, read_s
        self._http: httpx.Client | None = None

    def get(self, path: str, answer: type[T]) -> T:
        """Return the answer to a question without a body."""
        with self._translated():
            return self._read(self._open().get(path), answer)

    def post(self, path: str, body: object, answer: type[T]) -> T:
        """Return the answer to *body*, all of it at once."""
        with self._translated():
            return self._read(self._open().post(path, json=body), answer)

    @contextmanager
    def stream(self, path: str, body: object) -> Iterator[Iterator[bytes]]:
        """Yield the lines of the answer to *body* as they come, once it has begun."""
        with self._translated(), self._open().stream("POST", path, json=body) as response:
            if not response.is_success:
                response.read()
                raise self._refusal(response)
            yield _lines(response)

    def close(self) -> None:
        """Close the connections; a later question opens one again."""
        if self._http is not None:
            self._http.close()
        self._http = None

    def _open(self) -> httpx.Client:
        if self._http is None:
            times = self._httpx.Timeout(self._read_s, connect=self._connect_s)
            self._http = self._httpx.Client(
                base_url=self.address, timeout=times, trust_env=not is_loopback(self.address)
            )
        opened: httpx.Client = self._http
        return opened

    def _read(self, response: httpx.Response, answer: type[T]) -> T:
        if not response.is_success:
            raise self._refusal(response)
        try:
            return msgspec.json.decode(response.content, type=answer)
        except msgspec.DecodeError as exc:
            raise ServerProblem(
                f"the server at {self.address} does not answer {response.request.url.path} as "
                f"Ollama does ({exc}: {_short(response.text)}); correct base_url or OLLAMA_HOST, "
                'or write engine = "openai" for another server'
            ) from exc

    def _refusal(self, response: httpx.Response) -> ServerProblem:
        said = _error_of(response.content) or _short(response.text)
        message = f"the server at {self.address} refused ({response.status_code}): {said}"
        return ServerProblem(message, status=response.status_code, said=said)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn httpx's exceptions into a :class:`ServerProblem`."""
        try:
            yield
        except self._httpx.ConnectTimeout as exc:
            raise ServerProblem(
                f"no connection to the server at {self.address} within {self._connect_s:g} s; "
                "correct base_url, or raise connect_timeout_s"
            ) from exc
        except self._httpx.ConnectError as exc:
            raise ServerProblem(
                f"no server answers at {self.address} ({exc}); type: ollama serve, or correct "
                "base_url or OLLAMA_HOST"
            ) from exc
        except self._httpx.TimeoutException as exc:
            raise ServerProblem(
                f"the server at {self.address} said nothing for {self._read_s:g} s; if it needs "
                "longer, raise read_timeout_s"
            ) from exc
        except (self._httpx.HTTPError, self._httpx.InvalidURL) as exc:
            raise ServerProblem(
                f"the connection to the server at {self.address} broke ({exc}); the server's own "
                "log says why"
            ) from exc


def _lines(response: httpx.Response) -> Iterator[bytes]:
    """Yield what stands between line feeds: a text may hold other characters that end a line."""
    rest = b""
    for part in response.iter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        yield from filter(None, lines)
    if rest:
        yield rest


def _error_of(content: bytes) -> str:
    """Return the ``error`` of an answer, the empty text where there is none."""
    try:
        answer = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return ""
    return str(answer["error"]) if isinstance(answer, dict) and "error" in answer else ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text
