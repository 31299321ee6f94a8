"""A value is a number that knows its rounds."""

from __future__ import annotations

import pytest

from pytest_llmbench import NotMeasuredError, Result
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import Measured
from pytest_llmbench.runner.measurements import Measurements
from pytest_llmbench.runner.result import Value
from tests.runner.facts import MACHINE, make_sampled, run_alone

TTFT = Value(CATALOGUE["ttft_s"], Measured(value=0.2, gate=0.1, rounds=(0.1, 0.2, 0.9)))


def test_it_calculates_and_compares_as_the_number_it_is() -> None:
    assert TTFT == 0.2
    assert TTFT / 2 == 0.1
    assert 1 - TTFT == 0.8
    assert 0.1 < TTFT <= 0.2
    assert sorted([TTFT, 0.1]) == [0.1, 0.2]
    assert hash(TTFT) == hash(0.2)
    assert f"{TTFT:.1f}" == "0.2"


def test_it_knows_its_rounds() -> None:
    assert TTFT.median == 0.2
    assert TTFT.p90 == pytest.approx(0.76)
    assert (TTFT.min, TTFT.max) == (0.1, 0.9)
    assert TTFT.rounds == (0.1, 0.2, 0.9)
    assert TTFT.unit == "s"
    assert repr(TTFT) == "<ttft_s 200 ms, 3 rounds>"


def test_without_rounds_every_quantile_is_the_value() -> None:
    peak = Value(CATALOGUE["rss_peak_bytes"], Measured(value=5.0, gate=5.0, rounds=None))
    assert peak.median == peak.p90 == 5.0
    assert repr(peak) == "<rss_peak_bytes 5 B>"


def test_what_was_not_measured_says_what_was() -> None:
    sampled, measurements = run_alone(make_sampled()), Measurements()
    measurements.take(sampled)
    result = Result(measurements.record(sampled.case, MACHINE, other=None, quality=True), None)
    with pytest.raises(NotMeasuredError, match=r"device_alloc_peak_bytes was not measured.*ttft_s"):
        result.device_alloc_peak_bytes  # noqa: B018 — reading it is the test
    assert not hasattr(result, "_private")
    assert result.itl_s > 0
    assert "ttft_s" in result.metrics
