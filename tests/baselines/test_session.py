"""What of a session is kept."""

from __future__ import annotations

from msgspec import structs

from pytest_llmbench.baselines.session import baseline_session
from pytest_llmbench.domain.record import Readings
from tests.verdict.facts import make_round

from .facts import ENVIRONMENT, READINGS, make_case_record, make_variant_record


def kept(variants, cases):
    return baseline_session("2026-01-01T00:00:00Z", ENVIRONMENT, variants, cases)


def test_statistics_are_kept_and_nothing_else():
    record = make_case_record(metrics={"itl_s": 0.003, "output_tokens": 4, "rss_peak_bytes": 9})
    session = kept(
        [make_variant_record(metrics={"load_s": 2.0, "system_ram_peak_bytes": 5})], [record]
    )
    case = session.cases["tasks/base-sum-n8-t0"]
    assert case.metrics == {"itl_s": 0.003, "output_tokens": 4, "rss_peak_bytes": 9}
    assert case.workload == record.case.workload
    assert case.variant == "base"
    variant = session.variants["base"]
    assert variant.metrics == {"load_s": 2.0}
    assert (variant.identity, variant.settings) == ({"weights": "abc"}, {"device": "cpu"})
    assert (session.saved_at, session.environment) == ("2026-01-01T00:00:00Z", ENVIRONMENT)
    assert (session.reference, session.readings) == (None, Readings())
    assert case.relative == {}


def test_ratios_are_kept_with_their_reference_and_the_machine_s_pace():
    record = make_case_record(metrics={"itl_s": 0.003}, relative={"itl_s": 1.5, "ttft_s": 2.0})
    session = baseline_session("now", ENVIRONMENT, [], [record], reference="ref", readings=READINGS)
    assert session.cases["tasks/base-sum-n8-t0"].relative == {"itl_s": 1.5, "ttft_s": 2.0}
    assert (session.reference, session.readings) == ("ref", READINGS)


def test_how_many_launches_the_numbers_are_of_is_kept():
    record = make_case_record(metrics={"itl_s": 0.003})
    fresh = [make_round(launch=launch) for launch in (0, 0, 1, 4)]
    several = structs.replace(record, rounds=tuple(fresh))
    ratios = make_case_record(metrics={"itl_s": 0.003}, relative={"itl_s": 1.5}).relative
    two_in_turns = structs.replace(several, relative=ratios)
    for given, launches in ((record, 1), (several, 3), (two_in_turns, 2)):
        assert kept([], [given]).cases["tasks/base-sum-n8-t0"].launches == launches


def test_a_value_that_is_not_finite_is_left_out():
    values = {"itl_s": float("inf"), "ttft_s": 0.1}
    record = make_case_record(metrics=values, relative=values)
    case = kept([], [record]).cases["tasks/base-sum-n8-t0"]
    assert (case.metrics, case.relative) == ({"ttft_s": 0.1}, {"ttft_s": 0.1})


def test_failed_cases_are_left_out():
    session = kept(
        [make_variant_record()], [make_case_record("sum", error="boom"), make_case_record("ok")]
    )
    assert list(session.cases) == ["tasks/base-ok-n8-t0"]


def test_a_variant_that_did_not_load_is_left_out():
    assert kept([make_variant_record(error="no file", loaded=False)], []).variants == {}


def test_a_variant_that_died_keeps_its_identity_for_the_cases_before():
    died = make_variant_record(metrics={"load_s": 2.0}, error="SIGKILL")
    assert kept([died], []).variants == {}
    assert kept([died], [make_case_record(error="SIGKILL")]).variants == {}
    survivor = kept([died], [make_case_record()]).variants["base"]
    assert (survivor.identity, survivor.metrics) == ({"weights": "abc"}, {})


def test_records_may_be_any_iterable():
    session = kept(iter([make_variant_record()]), iter([make_case_record()]))
    assert (list(session.variants), len(session.cases)) == (["base"], 1)


def test_times_of_disturbed_cases_are_left_out():
    records = [
        make_case_record(
            name, metrics={"itl_s": 0.003, "rss_peak_bytes": 9}, relative={"itl_s": 1.5}
        )
        for name in "ab"
    ]
    session = baseline_session("now", ENVIRONMENT, [], records, untimed={"tasks/base-a-n8-t0"})
    assert session.cases["tasks/base-a-n8-t0"].metrics == {"rss_peak_bytes": 9}
    assert session.cases["tasks/base-b-n8-t0"].metrics == {"itl_s": 0.003, "rss_peak_bytes": 9}
    assert session.cases["tasks/base-a-n8-t0"].relative == {}
    assert session.cases["tasks/base-b-n8-t0"].relative == {"itl_s": 1.5}
