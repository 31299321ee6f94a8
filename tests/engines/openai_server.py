"""A server that answers by a script: for what real servers do only when they fail.

As a module it is a context in this process; as a program (``python openai_server.py PORT``) it is
a server to start and stop, with a child, a child of that one and one that has left its family.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclasses.dataclass(frozen=True)
class Reply:
    """One answer: a body, or pieces of a stream; a *cut* one breaks off without its end."""

    body: object = None
    status: int = 200
    kind: str = "application/json"
    pieces: tuple[str, ...] = ()
    cut: bool = False
    pause_s: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, object]


Script = dict[str, Reply | Callable[[Request], Reply]]


def stream(*chunks: object, done: bool = True, **more: object) -> Reply:
    """A stream of these chunks; a text is sent as it is."""
    pieces = [c if isinstance(c, str) else f"data: {json.dumps(c)}\n\n" for c in chunks]
    return Reply(
        kind="text/event-stream",
        pieces=(*pieces, *(["data: [DONE]\n\n"] if done else [])),
        **more,
    )


def delta(text: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    """A chunk of a chat."""
    told = {} if text is None else {"content": text}
    return {"choices": [{"index": 0, "delta": {**told, **more}, "finish_reason": finish}]}


def usage(prompt: int, output: int, cached: int | None = None) -> dict[str, object]:
    """The chunk that counts."""
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    counts = {"prompt_tokens": prompt, "completion_tokens": output, **details}
    return {"choices": [], "usage": counts}


def models(*names: str, **more: object) -> Reply:
    """A list of models."""
    return Reply({"object": "list", "data": [{"id": name, **more} for name in names]})


class ScriptedServer:
    """A context: a server on the loopback that answers by *script*.

    Keys are ``METHOD /path``, with the query where it matters. Port 0 takes a free one.
    """

    def __init__(self, script: Script, port: int = 0) -> None:
        self.script = script
        self.requests: list[Request] = []
        handler = type("Handler", (_Handler,), {"scripted": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.http.daemon_threads = True
        self._thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}"

    def asked(self, path: str) -> list[Request]:
        """What was asked of a path."""
        return [request for request in self.requests if request.path == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.http.shutdown()
        self.http.server_close()


class _Handler(BaseHTTPRequestHandler):
    scripted: ScriptedServer
    protocol_version = "HTTP/1.1"
    server_version = "Scripted"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = json.loads(data) if data else {}
        request = Request(self.command, self.path, dict(self.headers.items()), body)
        self.scripted.requests.append(request)
        reply = self.scripted.script.get(f"{self.command} {self.path}", Reply({}, status=404))
        self._send(reply(request) if callable(reply) else reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.pieces or reply.cut:
            self._send_pieces(reply)
            return
        time.sleep(reply.pause_s)
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_pieces(self, reply: Reply) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):  # the one who asked may have gone
            for piece in reply.pieces:
                data = piece.encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
                time.sleep(reply.pause_s)
        if reply.cut:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *arguments: object) -> None:
        pass


SLEEPER = "import time; time.sleep(99)"
PARENT = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
time.sleep(99)
"""
LEAVER = f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", {SLEEPER!r}], start_new_session=True)
"""


def main(port: int, *, stubborn: bool) -> None:
    """Serve until told to end; a *stubborn* one does not listen."""
    print("loading the model", flush=True)
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen([sys.executable, "-c", PARENT])
    subprocess.run([sys.executable, "-c", LEAVER])
    script: Script = {"GET /v1/models": models("m"), "POST /v1/chat/completions": _die}
    ScriptedServer(script, port).http.serve_forever()


def _die(request: Request) -> Reply:
    print("I can't go on", flush=True)
    os._exit(3)


if __name__ == "__main__":
    main(int(sys.argv[1]), stubborn="stubborn" in sys.argv)
