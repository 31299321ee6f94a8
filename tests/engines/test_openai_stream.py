"""A stream's chunks: what is stamped, what is text, what is counted, and what goes wrong."""

from __future__ import annotations

import itertools
import json

import pytest

from pytest_llmbench.domain.trace import EngineTimings
from pytest_llmbench.engines.openai.stream import Answer, read_answer, read_stream
from pytest_llmbench.engines.protocol import Stamps
from pytest_llmbench.errors import CaseError
from tests.engines.openai_server import delta, usage


def stamps() -> Stamps:
    """A clock that ticks a nanosecond each time it is read."""
    return Stamps(itertools.count().__next__)


def read(*chunks: object, counts_end: bool = False) -> tuple[Answer, Stamps]:
    """Read a stream of chunks; a text is an event's data as it is."""
    taken = stamps()
    data = [chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks]
    return read_stream(data, taken, counts_end=counts_end), taken


def test_a_chunk_with_a_role_is_a_response_and_no_text() -> None:
    answer, taken = read(delta(role="assistant"), delta("Par"), delta("is"), delta(finish="stop"))
    assert answer.text == "Paris"
    assert answer.finish == "stop"
    assert taken.first_response_ns == 1
    assert taken.arrivals == "chunks"
    assert len(taken.ns) == 2
    assert taken.ns[0] > taken.first_response_ns


def test_an_end_token_that_is_counted_is_stamped_where_it_ended_the_answer() -> None:
    stop = (delta("Paris"), delta(finish="stop"), usage(10, 2))
    assert len(read(*stop, counts_end=True)[1].ns) == 2
    assert len(read(*stop, counts_end=False)[1].ns) == 1
    limit = (delta("Paris"), delta(finish="length"), usage(10, 1))
    assert len(read(*limit, counts_end=True)[1].ns) == 1


def test_an_end_that_comes_with_text_is_stamped_once() -> None:
    assert len(read(delta("Paris", finish="stop"), counts_end=True)[1].ns) == 1


def test_tokens_are_what_the_server_counts_not_chunks() -> None:
    answer, taken = read(delta("Paris is the"), delta(" capital", finish="length"), usage(12, 4, 0))
    assert len(taken.ns) == 2
    assert (answer.counts.prompt, answer.counts.output, answer.counts.cached) == (12, 4, 0)


def test_without_counts_they_are_unknown() -> None:
    answer, _ = read(delta("Paris", finish="stop"))
    assert (answer.counts.prompt, answer.counts.output, answer.counts.cached) == (None, None, None)


def test_counts_in_the_chunk_that_ends_the_answer() -> None:
    last = {**delta(finish="stop"), "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    assert read(delta("Paris"), last)[0].counts.output == 2


def test_null_counts_before_the_last_chunk_are_no_counts() -> None:
    answer, _ = read({**delta("Paris", finish="stop"), "usage": None}, usage(5, 1))
    assert answer.counts.output == 1


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_stamped_and_no_part_of_the_answer(key: str) -> None:
    answer, taken = read(delta(**{key: "Well"}), delta(**{key: ", so"}), delta("Paris", "stop"))
    assert answer.text == "Paris"
    assert len(taken.ns) == 3


def test_completions_have_their_text_in_the_choice() -> None:
    def chunk(text: str, finish: str | None = None) -> dict[str, object]:
        return {"choices": [{"text": text, "index": 0, "finish_reason": finish}]}

    answer, taken = read(chunk("Par"), chunk("is"), chunk("", "length"))
    assert answer.text == "Paris"
    assert answer.finish == "length"
    assert len(taken.ns) == 2


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("tool_calls", "stop"), ("function_call", "stop"), ("length", "length")],
)
def test_finish_reasons(reason: str, finish: str) -> None:
    assert read(delta("x", finish=reason))[0].finish == finish


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        ([delta("x", finish="content_filter")], "content filter cut the answer off"),
        ([delta("x", finish="abort")], "finish_reason = 'abort'"),
        ([delta("x"), {"error": {"message": "out of memory"}}], "error: out of memory"),
        ([delta("x"), {"error": "out of memory"}], "error: out of memory"),
        ([delta("x"), '{"error": "it said "no""}'], "is no JSON object: .*it said"),
        (["[]"], "is no JSON object"),
        ([delta("x"), delta("y"), "[DONE]"], "ended after 2 pieces of text without saying why"),
        ([], "ended after 0 pieces"),
    ],
)
def test_what_goes_wrong(chunks: list[object], problem: str) -> None:
    with pytest.raises(CaseError, match=problem):
        read(*chunks)


def test_the_end_mark_may_be_missing_and_nothing_after_it_counts_as_text() -> None:
    assert read(delta("x", finish="stop"))[0].text == "x"
    assert read(delta("x", finish="stop"), " [DONE] ")[0].text == "x"


@pytest.mark.parametrize(
    "told",
    [
        {"usage": {"prompt_tokens": 40, "prompt_tokens_details": {"cached_tokens": 32}}},
        {"usage": {"prompt_tokens": 40, "prompt_cache_hit_tokens": 32}},
        {"usage": {"prompt_tokens": 40, "cached_tokens": 32}},
        {"usage": {"prompt_tokens": 40}, "timings": {"cache_n": 32}},
        {"usage": {"prompt_tokens_details": {"cached_tokens": 0}}, "timings": {"cache_n": 32}},
    ],
)
def test_cached_tokens_stand_in_several_places(told: dict[str, object]) -> None:
    assert read(delta("x", finish="stop"), {"choices": [], **told})[0].counts.cached == 32


def test_llama_cpp_s_times_leave_the_first_token_out() -> None:
    timings = {
        "cache_n": 0,
        "prompt_n": 12,
        "prompt_ms": 30.0,
        "predicted_n": 5,
        "predicted_ms": 80,
    }
    answer, _ = read(delta("x", finish="stop"), {"choices": [], "timings": timings})
    assert answer.timings == EngineTimings(
        prefill_tokens=12, prefill_s=0.03, decode_tokens=4, decode_s=0.08
    )
    assert read(delta("x", finish="stop"))[0].timings is None


def test_an_answer_without_a_stream() -> None:
    told = {
        "choices": [{"message": {"content": "Paris"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
        "system_fingerprint": "1.2",
    }
    answer = read_answer(told)
    assert (answer.text, answer.finish, answer.counts.output) == ("Paris", "length", 1)
    assert answer.fingerprint == "1.2"
