"""Why something was not measured."""

from __future__ import annotations

import pytest

from pytest_llmbench.verdict.absence import absent_from_case, absent_from_life

from .facts import make_facts, make_life, make_record, make_round


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
    ],
)
def test_of_a_case(metric, record, reason):
    assert absent_from_case(metric, record, make_facts()) == reason


def test_the_allocator_of_a_device_that_has_one():
    reason = absent_from_case("device_alloc_peak_bytes", make_record(), make_facts(device="cuda:0"))
    assert reason == "this engine or system did not give it"
    assert absent_from_case("device_alloc_peak_bytes", make_record(), None) == reason


def test_of_a_life():
    tells = "the engine does not tell the size of its weights"
    assert absent_from_life("model_bytes", make_life()) == tells
    assert absent_from_life("load_s", make_life(loaded=False)) == "the model was not loaded"
    assert absent_from_life("free_s", make_life()).startswith("the variant's life did not come")
