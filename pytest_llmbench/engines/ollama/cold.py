"""Rounds that are not answered out of the prompt cache.

A request that begins like an earlier one skips what it has in common with it, and no version of
the API has a switch against that. What works depends on the server, so that it is tried out once:

- Versions up to 0.29 keep the tokens of the last prompt in a slot. Another prompt, a *flush*,
  takes the slot over, unless OLLAMA_MULTIUSER_CACHE keeps several.
- From 0.30 on llama.cpp's llama-server runs the model. It saves the tokens of a slot that is taken
  over in main memory (8 GiB) and fetches them back, so that a flush is not enough, unless the
  server was started with ``LLAMA_ARG_CACHE_RAM=0`` and one slot. *Reloading* always is.

Whether a prompt was cached shows in one of three ways, by version: the count of cached tokens
(from 2026-09 on); a ``prompt_eval_count`` that falls, where it leaves them out (before 0.4, and in
the first of 0.30); else only in ``prompt_eval_duration``.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
from typing import Final, Literal

from pytest_llmbench.engines.ollama.answers import Chunk
from pytest_llmbench.engines.ollama.model import ServedModel
from pytest_llmbench.engines.ollama.options import CacheDefeat
from pytest_llmbench.errors import CaseError

Witness = Literal["told", "count", "time"]

SHARED: Final = 2
"""Tokens that any two prompts of a model may begin with: those that mark the beginning of a text.

They are in every flush too. Skipping them is no cached prompt: they count as processed. Where
``prompt_eval_count`` leaves cached tokens out, it lacks them.
"""

_WORDS: Final = ("the", "time", "water", "house", "and", "green", "under", "seven", "day", "long")
_LENGTHS: Final = (64, 512)
_AGAIN: Final = 0.8  # of the seconds that loading took
_TICK_S: Final = 1e-6  # no prompt takes less
_CLEAR: Final = 4.0  # a cold prompt takes at least so many times as long as a cached one


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """What trying it out showed.

    Attributes:
        witness: what tells a cached prompt on this server; ``None``: nothing does.
        flushes: whether a flush keeps a prompt out of the cache; ``None``: can't be told.
        tokens: from this many prompt tokens on, time tells.
        threshold_s: a prompt of so many tokens that took less was cached.
    """

    witness: Witness | None
    flushes: bool | None
    tokens: int = 0
    threshold_s: float = 0.0


class ColdRounds:
    """Makes rounds cold, and tells whether they were.

    Args:
        model: what is asked.
        defeat: how; see :class:`.OllamaOptions`.
        load_s: seconds that loading took.
        accept: a cached prompt is reported instead of refused.
        context: tokens that a trial's prompts must leave room in; ``None`` is unbounded.
    """

    def __init__(
        self,
        model: ServedModel,
        defeat: CacheDefeat,
        *,
        load_s: float,
        accept: bool,
        context: int | None,
    ) -> None:
        self._model = model
        self._defeat = defeat
        self._load_s = load_s
        self._ready_s: float | None = None
        self._accept = accept
        self._context = context
        self._trial: Trial | None = None
        self._fresh, self._first = True, False
        self._counts: dict[str, int] = {}

    def prepare(self) -> None:
        """Make the next round cold, and its model loaded; takes as long as it takes."""
        if self._fresh:
            return
        if self._defeat == "none":
            self._model.load()
            return
        if self._way() == "reload":
            self._load_s = min(self._load_s, self._model.load_anew())
        self.flush()

    def flush(self) -> None:
        """Ask something else: it takes the slot over, and touches the weights of a new process."""
        figures = self._model.ask(secrets.token_hex(8))
        self._ready_s = figures.load_duration * 1e-9

    def check_loaded(self, figures: Chunk) -> None:
        """Check that the model was still loaded when the round began.

        ``load_duration`` is never zero: a loaded model has to be found too, within 0.1 s mostly.

        Raises:
            CaseError: it was loaded within the round.
        """
        took_s, limit_s = figures.load_duration * 1e-9, _AGAIN * self._load_s
        if self._ready_s is not None:
            limit_s = min(limit_s, max(1.0, 10 * self._ready_s))
        if took_s > limit_s:
            raise CaseError(
                f"the server took {took_s:.3g} s to have the model ready within the round (loading "
                f"it takes {self._load_s:.3g} s), so that the first token came too late; stop what "
                "else uses this server, or raise keep_alive"
            )

    def spend(self) -> None:
        """Note that a round begins: the next one finds its prompt in the cache."""
        self._first, self._fresh = self._fresh, False

    def cached(self, key: str, figures: Chunk) -> int | None:
        """Return how many of the prompt's tokens were cached; ``None`` where nothing tells.

        Args:
            key: of the prompt.
            figures: of the round.

        Raises:
            CaseError: some were, and that is not accepted.
        """
        whole, cached = self.prompt_tokens(key, figures), self._seen(key, figures)
        unseen = whole == 0 and figures.prompt_eval_cached_count is None
        if not unseen and (cached is None or cached <= SHARED):
            return None if cached is None else 0
        if self._accept:
            return None if unseen else cached
        many = "all" if unseen else f"{cached} of the {whole}"
        raise CaseError(
            f"{many} prompt tokens came from the server's cache, so that the first token came too "
            f"soon; {self._remedy()}"
        )

    def prompt_tokens(self, key: str, figures: Chunk) -> int:
        """Return the tokens of the whole prompt, those left out of the count included."""
        self._counts[key] = max(self._counts.get(key, 0), figures.prompt_eval_count)
        return self._counts[key]

    def _way(self) -> Literal["flush", "reload"]:
        if self._defeat == "reload":
            return "reload"
        if self._trial is None:
            self._trial = self._try_out()
        if self._defeat == "flush" or self._trial.flushes:
            return "flush"
        return "reload"

    def _seen(self, key: str, figures: Chunk) -> int | None:
        """Return the cached tokens as far as anything shows them."""
        if figures.prompt_eval_cached_count is not None:
            return figures.prompt_eval_cached_count
        left_out = self.prompt_tokens(key, figures) - figures.prompt_eval_count
        if left_out > SHARED or self._first or self._defeat == "reload":
            return left_out
        return self._by_trial(figures)

    def _by_trial(self, figures: Chunk) -> int | None:
        trial = self._trial
        if trial is None or trial.flushes is None:
            return 0 if trial is not None and self._defeat == "auto" else None
        too_fast = figures.prompt_eval_duration * 1e-9 < trial.threshold_s
        if trial.witness == "time" and figures.prompt_eval_count >= trial.tokens and too_fast:
            return figures.prompt_eval_count - 1
        return 0

    def _remedy(self) -> str:
        if self._defeat in ("auto", "reload"):
            return "stop what else uses this server meanwhile"
        return (
            'write cache_defeat = "reload", or start the server with: LLAMA_ARG_CACHE_RAM=0 '
            "OLLAMA_NUM_PARALLEL=1 ollama serve"
        )

    def _try_out(self) -> Trial:
        """Try whether a flush keeps a prompt out of the cache: a short one, else a longer one."""
        trial = Trial(witness=None, flushes=None)
        for words in _LENGTHS:
            if trial.flushes is None and (self._context is None or 4 * words <= self._context):
                trial = self._try_with(words)
        return trial

    def _try_with(self, words: int) -> Trial:
        """Try it with a prompt of so many *words*, three times: cold, cached for sure, flushed."""
        self._model.ask(_nonsense(words))  # whatever a length costs for the first time
        prompt = _nonsense(words)
        cold, hit = self._model.ask(prompt), self._model.ask(prompt)
        flushed = []
        for _ in range(2):
            self.flush()
            flushed.append(self._model.ask(prompt))
        return judged(cold, hit, flushed)


def judged(cold: Chunk, hit: Chunk, flushed: list[Chunk]) -> Trial:
    """Return what a *cold* prompt, the same cached, and the same after a flush show together."""
    told = [each.prompt_eval_cached_count for each in flushed]
    if None not in told:
        return Trial("told", all((count or 0) <= SHARED for count in told))
    whole = cold.prompt_eval_count
    if hit.prompt_eval_count < whole / 2:
        return Trial("count", all(whole - each.prompt_eval_count <= SHARED for each in flushed))
    slow, fast = cold.prompt_eval_duration * 1e-9, max(_TICK_S, hit.prompt_eval_duration * 1e-9)
    if slow < _CLEAR * fast:
        return Trial(None, None)
    threshold = math.sqrt(slow * fast)
    enough = all(each.prompt_eval_duration * 1e-9 >= threshold for each in flushed)
    return Trial("time", enough, whole, threshold)


def _nonsense(words: int) -> str:
    """Return words in an order that no cache has seen; most are one token, a few are more."""
    return " ".join([secrets.token_hex(8), *(secrets.choice(_WORDS) for _ in range(words))])
