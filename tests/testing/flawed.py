"""An engine that keeps every promise, or all but the one that its flaw breaks."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from pytest_llmbench.engines import (
    CaseError,
    Encoded,
    EngineEntry,
    EngineKeys,
    EngineTimings,
    Generation,
    LoadError,
    Message,
    ModelFacts,
    Parameters,
    ReportedMemory,
    Stamps,
)

ENTRY = EngineEntry(module="flawed", adapter="FlawedEngine", options="FlawedOptions")
SERVED = EngineEntry(module="flawed", adapter="FlawedServer", options="FlawedOptions")
HEAVY = EngineEntry(
    module="flawed_heavy", adapter="FlawedEngine", options="FlawedOptions", libraries=("execnet",)
)

ANSWER = ("Paris", "is", "the", "capital", "of", "France.")
END = "<|end|>"
TEMPLATE = 4
CONTEXT = 2000
PREFILL_S = 50e-6
DECODE_S = 100e-6


class FlawedOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of the engine."""

    flaw: str = ""
    model_bytes: int = 128 * 2**20
    missing: bool = False


class FlawedEngine:
    """A real clock and a model that knows one sentence."""

    kept: list[bytearray] = []  # noqa: RUF012 — what a leak is

    def start(self) -> None:
        self.flaw, self.last, self.drawn = "", "", random.Random()

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:
        asked = msgspec.convert(options, FlawedOptions)
        self.flaw = asked.flaw
        if asked.missing:
            if self.flaw == "lets exceptions of loading through":
                raise KeyError("weights")
            raise LoadError("missing = true was asked for, and there is no model; leave it out")
        self.memory = bytearray(b"\1") * asked.model_bytes
        if self.flaw == "leaks":
            self.kept.append(self.memory)
        return ModelFacts(
            identity={} if self.flaw == "has no identity" else {"revision": "1"},
            settings={"threads": "" if self.flaw == "has an empty setting" else "1"},
            model_bytes=0 if self.flaw == "has no size" else asked.model_bytes,
            context_tokens=None if self.flaw == "takes any prompt" else CONTEXT,
            device="cpu",
        )

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:
        if self.flaw == "refuses every prompt with its library's words" and parameters.chat:
            raise KeyError("chat_template")
        turns = messages[-1:] if self.flaw == "forgets turns" else messages
        text = "\n\n".join(turn.content for turn in turns)
        chat = parameters.chat is not False and self.flaw != "ignores chat"
        tokens = len(text.split()) + (TEMPLATE if chat else 0)
        if self.flaw == "counts no prompts":
            tokens = 1
        return Encoded(payload=(text, tokens), tokens=tokens)

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        prompt, tokens = encoded.payload
        cached = prompt == self.last and "cache" in self.flaw
        self._prefill(prompt, 0 if cached else tokens)
        words = self._words(prompt, parameters)
        self._decode(words, stamps)
        if self.flaw == "dies of odd text" and "🙂" in prompt:
            raise ValueError("no such letter")
        shown = words if self.flaw == "shows special tokens" else [w for w in words if w != END]
        ended = words[-1] == END and parameters.length == "natural"
        if self.flaw == "calls the limit a stop":
            ended = True
        return Generation(
            text=" ".join(shown),
            finish_reason="stop" if ended else "length",
            cached_prompt_tokens=tokens if self.flaw == "says that it caches" else 0,
            timings=self._timings(tokens, len(words), cached=cached),
        )

    def reallocate(self) -> None:
        if self.flaw == "forgets its adapter with its buffers":
            self.flaw = "remembers the round before"

    def vocabulary(self) -> int:
        return 50

    def token_ids(self, encoded: Encoded) -> tuple[int, ...]:
        return tuple(range(encoded.payload[1] % 50))

    def text_of(self, ids: tuple[int, ...]) -> str:
        return " ".join(map(str, ids))

    def ids_of(self, text: str) -> tuple[int, ...]:
        self.asked = getattr(self, "asked", 0) + (self.flaw == "weighs by whim")
        return tuple(range(self.asked % 2, self.asked % 2 + len(text.split())))

    def forced_logits(self, encoded: Encoded, continuation, *, step: int):
        """Each place leads to its own number: what this engine always says."""
        shift = self.flaw == "yields the rows after"
        for at in range(0, len(continuation), step):
            lost = self.flaw == "forgets its cache between blocks" and at
            rows = np.zeros((len(continuation[at : at + step]), 50), np.float32)
            for row in range(0 if not lost else len(rows), len(rows)):
                rows[row, (at + row + shift) % 50] = 9.0
            yield rows

    def free(self) -> None:
        self.memory = bytearray()

    def _prefill(self, prompt: str, tokens: int) -> None:
        time.sleep(PREFILL_S * tokens)
        self.last = prompt

    def _words(self, prompt: str, parameters: Parameters) -> list[str]:
        words = [*ANSWER, END]
        if self.flaw == "remembers the round before":
            words[0] += str(self.drawn.random())
        if not parameters.greedy and self.flaw != "ignores the seed":
            words = self._drawn(words, parameters)
        if self.flaw == "never ends":
            words[-1] = "and"
            words *= 20
        elif self.flaw == "does not count the end token" and parameters.length == "natural":
            words = words[:-1]
        if parameters.length == "fixed" and self.flaw != "stops at the end token":
            words = words * parameters.max_new_tokens
        limit = parameters.max_new_tokens + (self.flaw == "goes beyond the limit")
        return words[:limit]

    def _drawn(self, words: list[str], parameters: Parameters) -> list[str]:
        narrow = parameters.top_k == 1 or parameters.top_p < 0.01
        if narrow and self.flaw != "ignores top_k and top_p":
            return words
        if narrow and self.flaw == "refuses with its library's words":
            raise KeyError("top_k")
        seed = None if self.flaw == "forgets the seed" else parameters.seed
        random.Random(seed).shuffle(words)
        return [word for word in words if word != END] + [END]

    def _decode(self, words: list[str], stamps: Stamps) -> None:
        fewer = words[1:] if self.flaw == "stamps fewer tokens" else words
        if self.flaw == "goes on in a pause":
            began = time.perf_counter()
            for number, _ in enumerate(words, start=1):
                while time.perf_counter() < began + number * DECODE_S:
                    pass
                stamps.token(number - 1)
            return
        if self.flaw == "stamps later":
            time.sleep(DECODE_S * len(words) * 10)
        for number, word in enumerate(fewer):
            if self.flaw != "stamps later":
                time.sleep(DECODE_S)
            at = 10**9 - number if self.flaw == "falls in time" else None
            stamps.token(number if word else 0, at_ns=at)

    def _timings(self, prompt: int, output: int, *, cached: bool) -> EngineTimings | None:
        if "figures" not in self.flaw:
            return None
        return EngineTimings(
            prefill_tokens=1 if cached else prompt,
            prefill_s=None,
            decode_tokens=output + 2 if self.flaw == "has figures of other tokens" else output,
            decode_s=None,
        )


class FlawedServer(FlawedEngine):
    """The same behind a server, in chunks of two tokens."""

    def processes(self) -> tuple[int, ...]:
        return ()

    def reported_memory(self) -> ReportedMemory | None:
        return None

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:
        facts = super().load(options, base_dir)
        if self.flaw == "leaves its server behind":
            import subprocess
            import sys

            self.server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
        return facts

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        if parameters.length == "fixed" and self.flaw != "makes fixed lengths after all":
            raise CaseError('length = "fixed" was asked for, but no server can; leave it out')
        if self.flaw != "says no first response":
            stamps.response()
        hidden = Stamps(time.perf_counter_ns)
        prompt, tokens = encoded.payload
        self._prefill(prompt, tokens)
        words = self._words(prompt, parameters)
        for number, word in enumerate(words):
            time.sleep(DECODE_S)
            hidden.token(number)
            if number % 2 == 0 or word == words[-1]:
                stamps.chunk()
        ended = words[-1] == END and parameters.length == "natural"
        return Generation(
            text=" ".join(word for word in words if word != END),
            finish_reason="stop" if ended else "length",
            cached_prompt_tokens=None,
            output_tokens=1 if self.flaw == "counts chunks wrongly" else len(words),
        )
