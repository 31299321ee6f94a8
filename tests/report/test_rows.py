"""A row's numbers over its cases, and which rows there are."""

from __future__ import annotations

import math

import msgspec
import pytest

from pytest_llmbench.domain.drift import Drift
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.rows import session_rows

from .facts import MEASURED, case, life, new, ok, regressed, session, verdict


def only_row(*cases, variants=()):
    (row,) = session_rows(session(cases, variants))
    return row


def with_metric(name, *values):
    return [case(metrics={name: value}, prompt=str(n)) for n, value in enumerate(values)]


@pytest.mark.parametrize("name", ["ttft_s", "decode_tps", "output_tps", "latency_s"])
def test_times_and_rates_are_the_median_of_the_cases(name):
    assert only_row(*with_metric(name, 1.0, 9.0, 2.0)).value(name) == 2.0


def test_memory_is_the_highest():
    assert only_row(*with_metric("rss_peak_bytes", 1.0, 9.0, 2.0)).value("rss_peak_bytes") == 9.0


@pytest.mark.parametrize(
    "witnesses",
    [
        ["device_alloc_peak_bytes", "device_process_bytes", "reported_device_bytes"],
        ["device_process_bytes", "reported_device_bytes"],
        ["reported_device_bytes"],
    ],
)
def test_device_memory_is_the_best_witness_s(witnesses):
    metrics = {name: 9.0 - number for number, name in enumerate(witnesses)}
    assert only_row(case(metrics=metrics)).device_peak_bytes == 9.0


def test_the_score_is_the_mean_of_the_scored():
    row = only_row(*with_metric("score", 1.0, 0.0, 1.0, 1.0), case(prompt="unscored"))
    assert (row.value("score"), row.scored, row.cases) == (0.75, 4, 5)


def test_a_value_that_is_not_finite_is_no_value():
    row = only_row(*with_metric("decode_tps", math.nan, math.inf, 3.0))
    assert row.value("decode_tps") == 3.0


def test_what_no_case_has_is_none():
    row = only_row(case(metrics={}))
    assert row.metrics == {}
    assert row.value("ttft_s") is None
    assert (row.device_peak_bytes, row.kl, row.top1, row.speed) == (None,) * 4


def test_load_is_the_variants_in_each_of_its_rows():
    rows = session_rows(session([case(), case(suite="tasks")], [life(load_s=2.5)]))
    assert [row.value("load_s") for row in rows] == [2.5, 2.5]


def test_rows_in_order_of_appearance():
    cases = [
        case(variant=variant, suite=suite, prompt=prompt)
        for prompt in ("p", "q")
        for variant, suite in (("b", "s"), ("a", "s"), ("b", "r"))
    ]
    rows = session_rows(session(cases))
    assert [(row.variant, row.label, row.cases) for row in rows] == [
        ("b", "s", 2),
        ("a", "s", 2),
        ("b", "r", 2),
    ]


def test_cases_count_once_by_their_worst_verdict():
    row = only_row(
        case(ok(), regressed(), regressed("ttft_s"), prompt="1"),
        case(ok(), verdict(VerdictKind.IMPROVED, "itl_s"), prompt="2"),
        case(ok(), prompt="3"),
        case(ok(), prompt="4"),
    )
    assert row.kinds == (
        (VerdictKind.REGRESSED, 1),
        (VerdictKind.IMPROVED, 1),
        (VerdictKind.OK, 2),
    )


def test_a_case_that_failed_is_an_error_even_without_verdicts():
    assert only_row(case(error="it died")).kinds == ((VerdictKind.ERROR, 1),)


def test_a_case_of_which_nothing_was_said_is_in_no_kind():
    row = only_row(case(), case(ok(), prompt="q"))
    assert (row.cases, row.kinds) == (2, ((VerdictKind.OK, 1),))


def test_a_variant_without_cases_has_a_row_without_suite():
    rows = session_rows(session([case()], [life("lost", error="no model", loaded=False), life()]))
    assert [(row.variant, row.label) for row in rows] == [
        ("base-fp16", "exo-five"),
        ("lost", None),
    ]
    assert rows[1].life is VerdictKind.ERROR


@pytest.mark.parametrize(
    ("verdicts", "kind"),
    [((), None), ((ok(),), VerdictKind.OK), ((ok(), new("variant v")), VerdictKind.NEW)],
)
def test_life_is_the_worst_that_was_said_of_it(verdicts, kind):
    assert only_row(case(), variants=[life("base-fp16", *verdicts)]).life is kind


def test_nothing_measured_has_no_rows():
    assert session_rows(session()) == ()


def test_five_hundred_cases_are_one_row():
    row = only_row(*(case(ok(), prompt=f"p{n}") for n in range(500)))
    assert (row.cases, row.value("ttft_s")) == (500, MEASURED["ttft_s"])


def test_drift_is_the_mean_over_all_tokens():
    def drifted(prompt, *kl):
        found = Drift(
            to="base",
            kl=kl,
            agrees=tuple(value < 0.1 for value in kl),
            delta_p=kl,
            delta_logp=kl,
        )
        judged = case(prompt=prompt)
        record = msgspec.structs.replace(judged.record, drift=found)
        return msgspec.structs.replace(judged, record=record)

    row = only_row(drifted("long", 0.0, 0.0, 0.3), drifted("short", 0.1), case(prompt="none"))
    assert (row.kl, row.top1) == (pytest.approx(0.1), 0.5)
    assert (only_row(case()).kl, only_row(case()).top1) == (None, None)
