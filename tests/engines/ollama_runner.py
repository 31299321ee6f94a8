"""What runs a model inside of :mod:`.ollama_server`: tokens, slots and their caches, sampling.

Slots are chosen, kept and fetched back as Ollama's runners do it: the Go runner of versions up to
0.29, with and without OLLAMA_MULTIUSER_CACHE, and llama-server with its cache in main memory from
0.30 on. Time is simulated: every figure follows from token counts.
"""

from __future__ import annotations

import dataclasses
import random
import re
from typing import Any

MS = 1_000_000
DEFAULTS: dict[str, Any] = {
    "num_predict": -1,
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.0,
    "repeat_penalty": 1.1,
    "repeat_last_n": 64,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "seed": 0,
    "stop": [],
    "num_ctx": 4096,
    "num_gpu": -1,
    "num_thread": 0,
    "num_batch": 512,
    "num_keep": 4,
    "use_mmap": None,
    "main_gpu": None,
}
"""Ollama's options and what holds without them."""

RUNNER_OPTIONS = ("num_ctx", "num_gpu", "num_thread", "num_batch", "use_mmap", "main_gpu")
REMOVED = {"mirostat": 0, "typical_p": 1.0, "tfs_z": 1.0}
"""Options that only older versions know."""

_NEUTRAL = {
    "min_p": 0.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    **REMOVED,
}
_WORDS = ["river", "stone", "lamp", "winter", "paper", "bridge", "garden", "silver", "music"]


@dataclasses.dataclass
class Slot:
    tokens: list[str] = dataclasses.field(default_factory=list)
    used: int = 0


@dataclasses.dataclass(frozen=True)
class Said:
    """One answer: *tokens* without the end token, which *count* has."""

    tokens: list[str]
    count: int
    reason: str


class Runner:
    """One loaded model."""

    def __init__(self, *, slots: int, multiuser: bool, llama_server: bool, ram_cache: bool) -> None:
        self._slots = [Slot() for _ in range(slots)]
        self._multiuser = multiuser
        self._llama_server = llama_server
        self._saved: list[list[str]] | None = [] if llama_server and ram_cache else None
        self._clock = 0

    def take(self, prompt: list[str], *, cache: bool) -> tuple[Slot, int]:
        """Return the slot for *prompt*, and how many of its tokens it holds already."""
        self._clock += 1
        slot = self._llama_slot(prompt) if self._llama_server else self._go_slot(prompt)
        slot.used = self._clock
        cached = common(slot.tokens, prompt) if cache else 0
        slot.tokens = list(prompt)
        return slot, min(cached, len(prompt) - 1)

    def _go_slot(self, prompt: list[str]) -> Slot:
        best = max(self._slots, key=lambda slot: common(slot.tokens, prompt))
        if not self._multiuser:
            return best
        count = common(best.tokens, prompt)
        if count == len(best.tokens):
            return best
        oldest = min(self._slots, key=lambda slot: slot.used)
        if count and oldest is not best:
            oldest.tokens = best.tokens[:count]
        return oldest

    def _llama_slot(self, prompt: list[str]) -> Slot:
        best = max(self._slots, key=lambda slot: common(slot.tokens, prompt))
        count = common(best.tokens, prompt)
        if count / len(prompt) > 0.1 and count:
            if count / len(best.tokens) < 0.5:
                self._swap(best, prompt)
            return best
        oldest = min(self._slots, key=lambda slot: slot.used)
        self._swap(oldest, prompt)
        return oldest

    def _swap(self, slot: Slot, prompt: list[str]) -> None:
        """Save what *slot* holds in main memory; fetch what suits *prompt* better."""
        if self._saved is None or not slot.tokens:
            return
        self._saved.append(slot.tokens)
        slot.tokens = []
        fit = [s for s in self._saved if common(s, prompt) / len(s) >= 0.25]
        if fit:
            slot.tokens = max(fit, key=lambda saved: common(saved, prompt))
            self._saved.remove(slot.tokens)


def common(one: list[str], other: list[str]) -> int:
    """How many tokens both begin with."""
    for number, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return number
    return min(len(one), len(other))


def tokens_of(text: str) -> list[str]:
    """The tokens of *text*: words, signs and marks of the template."""
    return ["<s>", *re.findall(r"<\|\w+\|>|\w+|[^\w\s]", text)]


def answer(text: str, prompt: list[str], options: dict[str, Any], room: int) -> Said:
    """What the model says: *text*, or words by chance; it tells of sampling that leaks in."""
    words = text.split()
    one_candidate = options["top_k"] == 1 or options["top_p"] < 0.01
    if options["temperature"] > 0 and not one_candidate:
        keys = ("seed", "temperature", "top_k", "top_p")
        chance = random.Random(repr([prompt, *(options[key] for key in keys)]))
        words = [chance.choice(_WORDS) for _ in range(chance.randint(4, 12))]
    leaks = [n for n, neutral in _NEUTRAL.items() if options.get(n, neutral) != neutral]
    words += [f"leaked:{name}" for name in leaks]
    limit = options["num_predict"] if options["num_predict"] >= 0 else 10**6
    if len(words) + 1 <= min(limit, room):
        return Said(words, len(words) + 1, "stop")
    kept = words[: min(limit, room)]
    return Said(kept, max(len(kept), min(limit, room, len(words) + 1)), "length")
