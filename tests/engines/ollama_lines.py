"""The lines that an answer of :mod:`.ollama_server` is made of."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any


def told(
    path: str,
    said: dict[str, Any],
    thought: str,
    tokens: list[str],
    end: dict[str, Any],
    fault: str,
    pause_s: float,
) -> Iterator[Any]:
    """Yield an answer's lines: thoughts, pieces of one or two tokens, then the figures."""
    for word in thought.split():
        yield {**said, **_piece(path, "", f"{word} "), "done": False}
    size = 1
    while tokens:
        time.sleep(pause_s)
        piece, tokens = tokens[:size], tokens[size:]
        text = " ".join(piece) + (" " if tokens else "")
        yield {**said, **_piece(path, text), "done": False}
        size = 3 - size
        if fault == "error":
            yield {"error": "an error was encountered while running the model"}
            return
        if fault in ("cut", "malformed", "hang"):
            yield fault
            return
        if fault == "silent":
            return
    yield {**said, **_piece(path, ""), **end}


def _piece(path: str, text: str, thought: str = "") -> dict[str, Any]:
    thinking = {"thinking": thought} if thought else {}
    if path == "/api/generate":
        return {"response": text, **thinking}
    return {"message": {"role": "assistant", "content": text, **thinking}}


def joined(lines: list[Any]) -> dict[str, Any]:
    """One answer that was not streamed."""
    if "message" in lines[-1]:
        text = "".join(line["message"]["content"] for line in lines)
        return {**lines[-1], "message": {"role": "assistant", "content": text}}
    text = "".join(line["response"] for line in lines)
    return {**lines[-1], "response": text}


def with_logprobs(answer: dict[str, Any], count: int) -> dict[str, Any]:
    """Every word with its probability and, where asked for, those of two others."""
    text = answer["message"]["content"] if "message" in answer else answer["response"]
    others = [_token("Rome", -3.0), _token("Oslo", -4.0)]
    told = [
        {**_token(word, -0.1), "top_logprobs": [_token(word, -0.1), *others][:count]}
        for word in text.split()
    ]
    return {**answer, "logprobs": told}


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def nonzero(figures: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is zero, as Go does; the count of cached tokens is kept."""
    return {n: v for n, v in figures.items() if v or n == "prompt_eval_cached_count"}
