"""Why something was not measured."""

from __future__ import annotations

import msgspec
import pytest

from pytest_llmbench.verdict.absence import absent_from_case, absent_from_life
from tests.support import token_trace

from .facts import make_facts, make_life, make_record, make_round

SERVED = make_record(
    rounds=[
        msgspec.structs.replace(
            make_round(), trace=token_trace(arrivals="chunks", token_ids=(), output_tokens=None)
        )
    ]
)


@pytest.mark.parametrize(
    ("metric", "record", "reason"),
    [
        (
            "itl_s",
            make_record(rounds=[make_round(tokens=1)]),
            "it needs two generated tokens and there were 1",
        ),
        (
            "decode_tps",
            make_record(rounds=[make_round(tokens=0)]),
            "it needs two generated tokens and there were 0",
        ),
        ("ttft_s", make_record(rounds=[make_round(tokens=0)]), "no token was generated"),
        ("score", make_record(), "prompt 'sum' has no scorer (expect and score)"),
        (
            "device_alloc_peak_bytes",
            make_record(),
            "the variant runs on the cpu, which has no device allocator",
        ),
        ("rss_peak_bytes", make_record(memory=None), "no memory pass was run"),
        ("rss_peak_bytes", make_record(), "this engine or system did not give it"),
        ("itl_s", make_record(), "this engine or system did not give it"),
        ("icl_s", make_record(), "only a server gives it"),
        ("itl_s", SERVED, "a server's chunk may hold several tokens; its gaps are icl_s"),
        ("tpot_s", SERVED, "the server does not say how many tokens it generated"),
        ("prefill_tps", SERVED, "the server does not say how many prompt tokens it processed"),
        (
            "ttft_s",
            make_record(rounds=[make_round(cached=3)]),
            "the prompt came from the engine's cache, in part at least",
        ),
    ],
)
def test_of_a_case(metric, record, reason):
    assert absent_from_case(metric, record, make_facts()) == reason


def test_the_allocator_of_a_device_that_has_one():
    reason = absent_from_case("device_alloc_peak_bytes", make_record(), make_facts(device="cuda:0"))
    assert reason == "this engine or system did not give it"
    assert absent_from_case("device_alloc_peak_bytes", make_record(), None) == reason


def test_random_weights_have_no_quality():
    facts = msgspec.structs.replace(make_facts(), random_weights=True)
    reason = absent_from_case("score", make_record(), facts)
    assert reason == "the weights are random, so that the text means nothing"


def test_of_a_life():
    tells = "the engine does not tell the size of its weights"
    assert absent_from_life("model_bytes", make_life()) == tells
    assert absent_from_life("load_s", make_life(loaded=False)) == "the model was not loaded"
    assert absent_from_life("free_s", make_life()).startswith("the variant's life did not come")
