"""The bytes of a baseline: layout, rounding, history, and every way to be unreadable."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pytest_llmbench.baselines.format import SCHEMA_VERSION, decode, encode
from pytest_llmbench.domain.baseline import (
    Baseline,
    BaselineCase,
    BaselineSession,
    BaselineVariant,
)
from pytest_llmbench.domain.record import Environment, Readings
from pytest_llmbench.errors import BaselineError

from .facts import make_baseline, make_session

PATH = Path("box/main.json")

GOLDEN = """\
{
"machine": "box",
"name": "main",
"schema_version": 2,
"sessions": [
{
 "cases": {
  "tasks/base-capital-n8-t0": {"metrics": {"itl_s": 0.666667}, "variant": "base", \
"workload": {"prompt": "p2"}},
  "tasks/base-sum-n8-t0": {"metrics": {"itl_s": 0.00305, "score": 1}, \
"relative": {"itl_s": 0.333333}, "variant": "base", "workload": {"prompt": "p1"}}
 },
 "environment": {
  "context": {"python": "3.11"},
  "identity": {"processor": "Xéon"}
 },
 "readings": {"calibration_s": 0.123457, "pace_s": 0.001},
 "reference": "ref",
 "saved_at": "2026-01-01T00:00:00Z",
 "variants": {
  "base": {"identity": {"weights": "abc"}, "metrics": {"model_bytes": 8123456789, \
"rss_after_load_bytes": 9123460000}, "settings": {"device": "cpu"}}
 }
}
]
}
"""

VERSION_1 = """\
{
"machine": "box",
"name": "main",
"schema_version": 1,
"sessions": [
{
 "cases": {
  "tasks/base-sum-n8-t0": {"metrics": {"itl_s": 0.00305, "score": 1}, "variant": "base", \
"workload": {"prompt": "p1"}}
 },
 "environment": {
  "context": {"python": "3.11"},
  "identity": {"processor": "Xéon"}
 },
 "saved_at": "2026-01-01T00:00:00Z",
 "variants": {
  "base": {"identity": {"weights": "abc"}, "metrics": {"model_bytes": 8123456789, \
"rss_after_load_bytes": 9123460000}, "settings": {"device": "cpu"}}
 }
}
]
}
"""
"""As version 1 was written: it is never to change."""

words = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3)
metrics = st.dictionaries(
    st.sampled_from(["itl_s", "score", "model_bytes", "rss_peak_bytes", "other"]),
    st.floats(allow_nan=False, allow_infinity=False),
    max_size=5,
)
seconds = st.none() | st.floats(1e-9, 1e3)
sessions = st.builds(
    BaselineSession,
    saved_at=st.text(max_size=8),
    environment=st.builds(Environment, identity=words, context=words),
    variants=st.dictionaries(
        st.text(max_size=8),
        st.builds(BaselineVariant, identity=words, settings=words, metrics=metrics),
        max_size=3,
    ),
    cases=st.dictionaries(
        st.text(max_size=8),
        st.builds(
            BaselineCase,
            variant=st.text(max_size=8),
            workload=words,
            metrics=metrics,
            relative=st.dictionaries(st.sampled_from(["itl_s", "ttft_s"]), st.floats(1e-9, 1e9)),
            launches=st.integers(1, 9),
        ),
        max_size=3,
    ),
    reference=st.none() | st.text(max_size=8),
    readings=st.builds(Readings, pace_s=seconds, calibration_s=seconds),
)
baselines = st.builds(
    Baseline,
    schema_version=st.just(SCHEMA_VERSION),
    machine=st.text(max_size=8),
    name=st.text(max_size=8),
    sessions=st.lists(sessions, max_size=3).map(tuple),
)


def test_the_layout():
    assert encode(make_baseline(make_session())).decode() == GOLDEN


def test_it_is_json_with_sorted_keys():
    data = encode(make_baseline(make_session(), make_session()))
    loaded = json.loads(data)
    assert json.dumps(loaded) == json.dumps(loaded, sort_keys=True)


def test_adding_a_session_only_adds_lines():
    one = make_baseline(make_session())
    two = make_baseline(make_session(), make_session("2026-01-02T00:00:00Z", itl_s=0.0031))
    diff = list(difflib.ndiff(*(encode(each).decode().splitlines() for each in (one, two))))
    assert not [line for line in diff if line.startswith("-")]
    assert len([line for line in diff if line.startswith("+")]) == 15


def test_noisy_values_are_rounded_and_exact_ones_are_not():
    session = decode(encode(make_baseline(make_session(itl_s=0.123456789))), PATH).sessions[0]
    assert session.cases["tasks/base-sum-n8-t0"].metrics["itl_s"] == 0.123457
    assert session.variants["base"].metrics["model_bytes"] == 8123456789
    assert session.variants["base"].metrics["rss_after_load_bytes"] == 9123460000


def test_launches_are_written_where_there_were_several():
    session = make_session()
    for launches in (1, 3):
        cases = {key: structs.replace(c, launches=launches) for key, c in session.cases.items()}
        written = encode(make_baseline(structs.replace(session, cases=cases))).decode()
        assert written.count('"launches": 3') == (2 if launches == 3 else 0)


def test_without_sessions():
    empty = make_baseline()
    assert decode(encode(empty), PATH) == empty


@given(baselines)
def test_what_is_written_is_read_back_to_six_digits(baseline):
    data = encode(baseline)
    read = decode(data, PATH)
    assert encode(read) == data
    assert read.sessions == tuple(map(rounded_session, baseline.sessions))
    assert (read.machine, read.name) == (baseline.machine, baseline.name)


def rounded_session(session):
    return BaselineSession(
        saved_at=session.saved_at,
        environment=session.environment,
        variants={
            name: BaselineVariant(
                identity=v.identity, settings=v.settings, metrics=rounded(v.metrics)
            )
            for name, v in session.variants.items()
        },
        cases={
            key: BaselineCase(
                variant=c.variant,
                workload=c.workload,
                metrics=rounded(c.metrics),
                relative=rounded(c.relative),
                launches=c.launches,
            )
            for key, c in session.cases.items()
        },
        reference=session.reference,
        readings=Readings(
            pace_s=digits(session.readings.pace_s),
            calibration_s=digits(session.readings.calibration_s),
        ),
    )


def rounded(values):
    exact = {"score", "model_bytes"}
    return {n: v if n in exact else float(f"{v:.6g}") for n, v in values.items()}


def digits(value):
    return None if value is None else float(f"{value:.6g}")


def test_a_value_that_is_not_finite_is_refused():
    with pytest.raises(BaselineError, match="'main' can't be written: a metric is not a finite"):
        encode(make_baseline(make_session(itl_s=float("inf"))))
    with pytest.raises(BaselineError, match="not a finite"):
        encode(make_baseline(make_session(itl_s=float("nan"))))
    with pytest.raises(BaselineError, match="not a finite"):
        encode(make_baseline(make_session(itl_ratio=float("inf"))))


def test_this_version_is_read():
    assert decode(GOLDEN.encode(), PATH).schema_version == SCHEMA_VERSION == 2
    assert encode(decode(GOLDEN.encode(), PATH)) == GOLDEN.encode()


def test_version_one_is_read_as_a_session_without_ratios_and_readings():
    baseline = decode(VERSION_1.encode(), PATH)
    (session,) = baseline.sessions
    assert baseline.schema_version == 1
    assert (session.reference, session.readings) == (None, Readings())
    (case,) = session.cases.values()
    assert (case.metrics, case.relative) == ({"itl_s": 0.00305, "score": 1.0}, {})
    assert session.variants["base"].metrics["model_bytes"] == 8123456789


def test_version_one_is_written_as_this_one():
    old = decode(VERSION_1.encode(), PATH)
    new = encode(make_baseline(*old.sessions))
    assert decode(new, PATH).sessions == old.sessions
    assert b'"schema_version": 2' in new
    assert b'"relative"' not in new
    assert b' "readings": {"calibration_s": null, "pace_s": null},\n "reference": null,\n' in new


REMEDY = (
    "; restore it from version control, or start anew with --llmbench-no-compare "
    "--llmbench-replace=main"
)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "Input data was truncated"),
        (b"<<<<<<< HEAD\n" + GOLDEN.encode(), "JSON is malformed: invalid character (byte 0)"),
        (GOLDEN.encode()[:-20], "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "Object missing required field `schema_version`"),
        (b'{"schema_version": "2"}', "Expected `int`, got `str` - at `$.schema_version`"),
        (
            GOLDEN.replace('"itl_s": 0.666667', '"itl_s": "fast"').encode(),
            "Expected `float`, got `str` - at `$.sessions[0].cases[...].metrics[...]`",
        ),
        (
            GOLDEN.replace('"machine"', '"maschine"').encode(),
            "Object contains unknown field `maschine`",
        ),
    ],
)
def test_corrupt_files_say_what_is_wrong_and_what_to_type(data, found):
    with pytest.raises(BaselineError) as caught:
        decode(data, PATH)
    assert str(caught.value) == f"baseline box/main.json can't be read: {found}{REMEDY}"


def test_bytes_that_are_no_text():
    with pytest.raises(BaselineError, match=r"baseline box/main\.json can't be read: "):
        decode(GOLDEN.encode("latin-1"), PATH)


def test_a_version_that_never_was():
    data = GOLDEN.replace('"schema_version": 2', '"schema_version": 0').encode()
    with pytest.raises(BaselineError, match=r"has schema_version 0, which never was; restore"):
        decode(data, PATH)


@pytest.mark.parametrize("rest", ["", ', "unheard_of": true'])
def test_a_newer_version_is_named_whatever_else_is_in_it(rest):
    with pytest.raises(BaselineError) as caught:
        decode(f'{{"schema_version": 3{rest}}}'.encode(), PATH)
    assert str(caught.value) == (
        "baseline box/main.json has schema_version 3, but this pytest-llmbench reads up to 2; "
        "upgrade it with: pip install --upgrade pytest-llmbench"
    )
