"""Reading a streamed answer: what is stamped, what is text, what is counted.

A chunk that holds text is stamped, whether it belongs to the answer or to the reasoning before
it: both are output, generated one token after the other and paid for. The *text* of a generation
is the answer alone. A first chunk that only names a role is a response, not text. The end token
has no text; where the server counts it among its tokens, the chunk that says that the answer
ended by itself is its stamp, so that the tokens counted and the time over which they came agree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final

from pytest_llmbench.domain.trace import EngineTimings, FinishReason
from pytest_llmbench.engines.openai.client import as_object, objects_in, problem_in
from pytest_llmbench.engines.protocol import Stamps
from pytest_llmbench.errors import CaseError

_FINISHES: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "tool_calls": "stop",
    "function_call": "stop",
    "length": "length",
}
_SHOWN: Final = 120


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a server counted; ``None`` where it does not say."""

    prompt: int | None
    output: int | None
    cached: int | None


UNKNOWN: Final = Counts(prompt=None, output=None, cached=None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came out of a request, streamed or not."""

    text: str
    finish: FinishReason
    counts: Counts
    timings: EngineTimings | None
    fingerprint: str | None


def read_stream(events: Iterable[str], stamps: Stamps, *, counts_end: bool) -> Answer:
    """Return the answer in a stream's *events*, stamping them as they arrive.

    Raises:
        CaseError: the stream holds an error, is no JSON, or ends before the answer does.
    """
    reading = _Reading(stamps, counts_end=counts_end)
    for data in events:
        stamps.response()
        if data.strip() != "[DONE]":
            reading.take(_chunk(data))
    return reading.answer()


def read_answer(answer: Mapping[str, object]) -> Answer:
    """Return an answer that was not streamed."""
    choice = next(iter(objects_in(answer.get("choices"))), {})
    return Answer(
        text=_text(choice, "message")[0],
        finish=_finish(choice.get("finish_reason")) or "stop",
        counts=counts_in(answer),
        timings=timings_in(answer),
        fingerprint=_name(answer.get("system_fingerprint")),
    )


class _Reading:
    """The state of one stream."""

    def __init__(self, stamps: Stamps, *, counts_end: bool) -> None:
        self._stamps = stamps
        self._counts_end = counts_end
        self._pieces: list[str] = []
        self._finish: FinishReason | None = None
        self._counts = UNKNOWN
        self._timings: EngineTimings | None = None
        self._fingerprint: str | None = None

    def take(self, chunk: Mapping[str, object]) -> None:
        """Take one chunk: text, the finish, counts, or nothing of these."""
        if "error" in chunk:
            raise CaseError(f"the server stopped its answer with an error: {problem_in(chunk)}")
        for choice in objects_in(chunk.get("choices"))[:1]:
            self._take_choice(choice)
        if chunk.get("usage") or chunk.get("timings"):
            self._counts = counts_in(chunk)
            self._timings = timings_in(chunk) or self._timings
        self._fingerprint = _name(chunk.get("system_fingerprint")) or self._fingerprint

    def _take_choice(self, choice: Mapping[str, object]) -> None:
        answer, reasoning = _text(choice, "delta")
        finish = _finish(choice.get("finish_reason"))
        if answer or reasoning or (finish == "stop" and self._counts_end and not self._finish):
            self._stamps.chunk()
        self._pieces.append(answer)
        self._finish = finish or self._finish

    def answer(self) -> Answer:
        """Return all of it, at the stream's end."""
        if self._finish is None:
            raise CaseError(
                f"the stream ended after {len(self._stamps.ns)} pieces of text without saying why; "
                "look at what the server printed"
            )
        return Answer(
            text="".join(self._pieces),
            finish=self._finish,
            counts=self._counts,
            timings=self._timings,
            fingerprint=self._fingerprint,
        )


def _chunk(data: str) -> dict[str, object]:
    chunk = as_object(data)
    if not chunk:
        shown = data if len(data) <= _SHOWN else data[:_SHOWN] + "…"
        raise CaseError(
            f"a piece of the server's answer is no JSON object: {shown!r}; look at what the "
            "server printed"
        )
    return chunk


def _text(choice: Mapping[str, object], holder: str) -> tuple[str, str]:
    """Return the answer's and the reasoning's words in a choice of either endpoint."""
    told = choice.get(holder)
    if not isinstance(told, dict):
        return str(choice.get("text") or ""), ""
    reasoning = told.get("reasoning_content") or told.get("reasoning")
    return str(told.get("content") or ""), str(reasoning or "")


def _finish(reason: object) -> FinishReason | None:
    if reason is None:
        return None
    if reason in _FINISHES:
        return _FINISHES[str(reason)]
    if reason == "content_filter":
        raise CaseError(
            "the server's content filter cut the answer off; ask something that it lets through"
        )
    raise CaseError(f"the server ended the answer with finish_reason = {reason!r}, not by itself")


def counts_in(answer: Mapping[str, object]) -> Counts:
    """Return what ``usage`` and ``timings`` count; cached tokens stand in one of four places."""
    usage, timings = _table(answer.get("usage")), _table(answer.get("timings"))
    details = _table(usage.get("prompt_tokens_details"))
    cached = (
        _whole(details.get("cached_tokens")),
        _whole(usage.get("prompt_cache_hit_tokens")),
        _whole(usage.get("cached_tokens")),
        _whole(timings.get("cache_n")),
    )
    known = [count for count in cached if count is not None]
    return Counts(
        prompt=_whole(usage.get("prompt_tokens")),
        output=_whole(usage.get("completion_tokens")),
        cached=max(known) if known else None,
    )


def timings_in(answer: Mapping[str, object]) -> EngineTimings | None:
    """Return llama.cpp's own times; its decode time begins with the first token."""
    timings = _table(answer.get("timings"))
    if not timings:
        return None
    decoded = _whole(timings.get("predicted_n"))
    return EngineTimings(
        prefill_tokens=_whole(timings.get("prompt_n")),
        prefill_s=_seconds(timings.get("prompt_ms")),
        decode_tokens=None if decoded is None else max(0, decoded - 1),
        decode_s=_seconds(timings.get("predicted_ms")),
    )


def _table(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _seconds(milliseconds: object) -> float | None:
    return milliseconds / 1e3 if isinstance(milliseconds, int | float) else None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
