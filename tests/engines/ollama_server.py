"""A server on loopback that follows Ollama's published API, with simulated models.

It takes nothing that the API does not name: unknown fields and options are refused here, where
Ollama would pass over them, so that an engine can't send nonsense unnoticed. Which counts it
reports, and how it caches, goes by the version that it plays::

    with ollama_server(version="0.12.0") as url:
        ...

Run as a program with a script as JSON it prints its address, calls itself ``ollama`` and keeps a
child process for every loaded model.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.engines.ollama_http import Http, Refused
from tests.engines.ollama_lines import joined, nonzero, told, with_logprobs
from tests.engines.ollama_runner import (
    DEFAULTS,
    MS,
    REMOVED,
    RUNNER_OPTIONS,
    Runner,
    answer,
    tokens_of,
)
from tests.engines.ollama_script import Model, Script, details, listed, prompt_figures

COMMON = {
    "model", "stream", "options", "keep_alive", "think", "truncate", "shift", "format", "logprobs",
    "top_logprobs",
}  # fmt: skip
FIELDS = {
    "/api/generate": COMMON | {"prompt", "suffix", "images", "system", "template", "raw"},
    "/api/chat": COMMON | {"messages", "tools"},
    "/api/show": {"model", "verbose"},
    "/api/pull": {"model", "insecure", "stream"},
}


@dataclasses.dataclass
class Loaded:
    runner: Runner
    options: dict[str, Any]
    child: subprocess.Popen[bytes] | None
    gone_at: float | None = None


class OllamaServer:
    """The server: *requests* are all that it was asked, *loads* how often it loaded a model."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.loads = 0
        self._loaded: dict[str, Loaded] = {}
        self._lock = threading.RLock()
        self._http = Http(self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()
        for name in list(self._loaded):
            self._drop(name)

    def evict(self) -> None:
        """Drop every loaded model at once, as memory pressure does."""
        with self._lock:
            for name in list(self._loaded):
                self._drop(name)

    def asked(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.requests if asked == path]

    def get(self, path: str) -> dict[str, Any]:
        with self._lock:
            if path == "/api/version":
                return {"version": self.script.version}
            if path == "/api/tags":
                return {"models": [listed(n, m) for n, m in self.script.models.items()]}
            if path == "/api/ps":
                return {"models": self._ps()}
        raise Refused(404, "404 page not found")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | Iterator[Any]:
        self.requests.append((path, body))
        if path not in FIELDS:
            raise Refused(404, "404 page not found")
        for field in body.keys() - FIELDS[path]:
            raise Refused(400, f"unknown field {field!r}")
        if path == "/api/show":
            return self._show(self._find(body["model"])[1])
        if path == "/api/pull":
            return self._pull(body["model"])
        with self._lock:
            return self._text(path, body)

    def _find(self, name: str) -> tuple[str, Model]:
        full = name if ":" in name else f"{name}:latest"
        if full not in self.script.models:
            raise Refused(404, f"model '{name}' not found")
        return full, self.script.models[full]

    def _show(self, model: Model) -> dict[str, Any]:
        lines = [f"{name:<30} {value}" for name, value in model.parameters.items()]
        shown = {
            "modelfile": "FROM demo",
            "parameters": "\n".join(lines),
            "template": model.template,
            "details": details(model),
            "model_info": {"llama.context_length": model.context_length},
            "capabilities": model.capabilities,
        }
        return shown | ({"remote_host": model.remote_host} if model.remote_host else {})

    def _pull(self, name: str) -> Iterator[Any]:
        yield {"status": "pulling manifest"}
        full = name if ":" in name else f"{name}:latest"
        if full not in self.script.registry:
            yield {"error": "pull model manifest: file does not exist"}
            return
        yield {"status": "pulling abababab", "digest": "sha256:ab", "total": 9, "completed": 3}
        if self.script.pull_fault == "cut":
            return
        self.script.models[full] = self.script.registry[full]
        yield {"status": "success"}

    def _ps(self) -> list[dict[str, Any]]:
        for name, loaded in list(self._loaded.items()):
            if loaded.gone_at is not None and time.monotonic() >= loaded.gone_at:
                self._drop(name)
        return [] if self.script.hidden else [self._entry(n, m) for n, m in self._loaded.items()]

    def _entry(self, name: str, loaded: Loaded) -> dict[str, Any]:
        model = self.script.models[name]
        size = model.size + 1000 * loaded.options["num_ctx"]
        entry = {
            **listed(name, model),
            "size": size,
            "size_vram": int(size * self.script.gpu_share),
            "expires_at": "2030-01-01T00:00:00Z",
        }
        known = self.script.number >= (0, 11)
        return entry | ({"context_length": loaded.options["num_ctx"]} if known else {})

    def _drop(self, name: str) -> None:
        child = self._loaded.pop(name).child
        if child is not None:
            child.kill()
            child.wait()

    def _load(self, name: str, options: dict[str, Any]) -> tuple[Runner, int]:
        """Return the model's runner, loaded where it is not, and the nanoseconds that took."""
        self._ps()
        wanted = {key: options[key] for key in RUNNER_OPTIONS}
        present = self._loaded.get(name)
        if present is not None and present.options == wanted:
            present.gone_at = None
            return present.runner, 2 * MS
        if self.script.load_fault:
            raise Refused(500, self.script.load_fault)
        if present is not None:
            self._drop(name)
        time.sleep(self.script.load_s)
        script = self.script
        runner = Runner(
            slots=script.slots,
            multiuser=script.multiuser,
            llama_server=script.number >= (0, 30),
            ram_cache=script.ram_cache,
        )
        child = subprocess.Popen(["sleep", "600"]) if script.children else None
        self._loaded[name] = Loaded(runner, wanted, child)
        self.loads += 1
        return runner, int(self.script.load_s * 1000) * MS

    def _options(self, model: Model, asked: dict[str, Any]) -> dict[str, Any]:
        known = {**DEFAULTS, **(REMOVED if self.script.number < (0, 30) else {})}
        for name in asked.keys() - known.keys():
            raise Refused(400, f"invalid option provided: {name}")
        return {**known, **model.parameters, **asked}

    def _text(self, path: str, body: dict[str, Any]) -> dict[str, Any] | Iterator[Any]:
        name, model = self._find(body["model"])
        said = {"model": body["model"], "created_at": "2026-11-20T12:00:00Z"}
        empty = not body.get("prompt") and not body.get("messages")
        if isinstance(body.get("keep_alive"), str) and body["keep_alive"][-1:].isdigit():
            raise Refused(400, f'time: missing unit in duration "{body["keep_alive"]}"')
        if empty and body.get("keep_alive") == 0:
            if name in self._loaded:
                self._loaded[name].gone_at = time.monotonic() + self.script.unload_s
            return {**said, "response": "", "done": True, "done_reason": "unload"}
        if "completion" not in model.capabilities:
            raise Refused(400, f'"{name}" does not support generate')
        if body.get("think") and "thinking" not in model.capabilities:
            raise Refused(400, f'"{name}" does not support thinking')
        options = self._options(model, body.get("options", {}))
        runner, load_ns = self._load(name, options)
        if empty:
            return {**said, "response": "", "done": True, "done_reason": "load"}
        prompt = tokens_of(self._rendered(path, body, model))
        lines = self._lines(path, body, options, runner, load_ns, prompt, said)
        return self._whole(body, list(lines)) if body.get("stream") is False else lines

    def _whole(self, body: dict[str, Any], lines: list[Any]) -> dict[str, Any]:
        """Return an answer that is not streamed."""
        if not body.get("logprobs") or self.script.number < (0, 12, 11):
            return joined(lines)
        return with_logprobs(joined(lines), body.get("top_logprobs", 0))

    def _rendered(self, path: str, body: dict[str, Any], model: Model) -> str:
        if path == "/api/generate":
            if not body.get("raw"):
                raise Refused(400, "the test's models are only asked raw, or by chat")
            return str(body["prompt"])
        turns = [f"<|{turn['role']}|> {turn['content']}" for turn in body["messages"]]
        return " ".join([*turns, "<|assistant|>"])

    def _lines(
        self,
        path: str,
        body: dict[str, Any],
        options: dict[str, Any],
        runner: Runner,
        load_ns: int,
        prompt: list[str],
        said: dict[str, Any],
    ) -> Iterator[Any]:
        """Return the lines of an answer; raises what Ollama says before the first of them."""
        fault = next((f for word, f in self.script.faults.items() if word in prompt), "")
        if fault == "500":
            raise Refused(500, "llama runner process has terminated: signal: killed")
        prompt = self._fitted(prompt, body, options)
        off = (0, 30) <= self.script.number < (0, 30, 5) and body.get("shift") is False
        slot, cached = runner.take(prompt, cache=not off)
        room = max(0, options["num_ctx"] - len(prompt))
        words = answer(self.script.answer, prompt, options, room)
        slot.tokens += words.tokens
        prefill = prompt_figures(self.script, len(prompt), cached)
        if self.script.real:
            time.sleep(prefill["prompt_eval_duration"] / 1e9)
        thought = self.script.thought if body.get("think", True) else ""
        figures = {
            "total_duration": 10**9,
            "load_duration": 30_000 * MS if fault == "evict" else load_ns,
            **prefill,
            "eval_count": words.count + len(thought.split()),
            "eval_duration": 2 * MS * max(0, words.count - 1),
        }
        reason = "load" if fault == "empty" else words.reason
        named = {"done_reason": reason} if self.script.number >= (0, 1, 40) else {}
        end = {"done": True, **named, **nonzero(figures)}
        pause_s = 0.002 if self.script.real else 0.0
        yield from told(path, said, thought, words.tokens, end, fault, pause_s)

    def _fitted(
        self, prompt: list[str], body: dict[str, Any], options: dict[str, Any]
    ) -> list[str]:
        limit = options["num_ctx"]
        if len(prompt) <= limit:
            return prompt
        if self.script.number >= (0, 12, 7) and body.get("truncate") is False:
            raise Refused(400, "the input length exceeds the context length")
        return prompt[:4] + prompt[4 + len(prompt) - limit :]


@contextlib.contextmanager
def ollama_server(**script: Any) -> Iterator[str]:
    """Run a server of this :class:`Script`; its address is what there is of it."""
    with OllamaServer(Script(**script)) as server:
        yield server.url


def main() -> None:
    """Run until the standard input ends."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text("ollama")
    with OllamaServer(Script(**json.loads(sys.argv[1]))) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
