"""The Go benchmark format, read by the rules of its proposal and of golang.org/x/perf/benchfmt.

A line that begins with ``Benchmark`` is a result: fields apart by white space, an even number of
them, at least four: name, whole number of iterations, then values with their units. ``Unit``
lines have ``key=value`` fields after the unit. A configuration line has a key that begins with a
lower-case letter and has neither white space nor upper-case letters. All else is passed over. A
number after the last hyphen of a name is taken for the number of processors.
"""

from __future__ import annotations

import re
from collections import defaultdict

import pytest

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.report.exports.go_benchmark import render, unit_of
from pytest_llmbench.report.results import session_results
from tests.report.exports.facts import results, rich
from tests.report.facts import life, session


class Read:
    """A file as a reader of the format has it."""

    def __init__(self, text: str) -> None:
        self.config: dict[str, str] = {}
        self.units: dict[str, dict[str, str]] = {}
        self.values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for line in text.split("\n"):
            self._take(line)

    def _take(self, line: str) -> None:
        fields = line.split()
        if line.startswith("Benchmark"):
            name, iterations, *pairs = fields
            assert int(iterations) >= 1
            assert pairs
            assert len(pairs) % 2 == 0
            assert not re.search(r"-\d+$", name), "it would be taken for GOMAXPROCS"
            for value, unit in zip(pairs[::2], pairs[1::2], strict=True):
                self.values[name][unit].append(float(value))
        elif fields[:1] == ["Unit"]:
            told = dict(field.split("=", 1) for field in fields[2:])
            assert self.units.setdefault(fields[1], told) == told
        elif match := re.match(r"([a-z][^\s:A-Z]*):[ \t]+(.*)$", line):
            self.config[match[1]] = match[2]


def read(told=None) -> Read:
    return Read(render(told or results()))


def test_a_line_a_round() -> None:
    name = "BenchmarkCase/suite=tasks/variant=int8/prompt=sum/parameters=n64-t0"
    found = read().values[name]
    assert found["ttft-sec"] == [0.02, 0.03, 0.025]
    assert found["decode-tok/s"] == [50.0, 49.0, 51.0]
    assert found["rss_peak-B"] == [412 * 2**20]
    assert found["score"] == [1.0] * 3


def test_lives_have_one_line() -> None:
    assert read().values["BenchmarkLife/variant=int8"] == {"load-sec": [1.234]}


def test_units_say_which_way_is_better() -> None:
    units = read().units
    assert units["ttft-sec"] == {"better": "lower"}
    assert units["decode-tok/s"] == {"better": "higher"}
    assert units["score"] == {"better": "higher", "assume": "exact"}
    used = {unit for values in read().values.values() for unit in values}
    assert used == set(units)


def test_what_must_match_is_configuration_and_what_explains_is_not() -> None:
    assert read().config == {"cpu": "x"}
    assert "# torch: 2.12.0" in render(results())


def test_hostile_names_are_one_field() -> None:
    (name,) = [n for n in read().values if "HYPERLINK" in n and "prompt=" in n]
    assert name.count("/") == 4
    assert re.fullmatch(r"[!-~]+", name)


@pytest.mark.parametrize("variant", ["phi-3", "llama-3.2-1b-4", "a/b c"])
def test_no_name_ends_in_a_number_of_processors(variant: str) -> None:
    told = session_results(session([rich(variant=variant, prompt="p-7")], [life(variant)]))
    assert len(read(told).values) == 2


def test_two_metrics_never_share_a_unit() -> None:
    units = [unit_of(name, metric.unit) for name, metric in CATALOGUE.items()]
    assert len(units) == len(set(units))
    assert not [unit for unit in units if re.search(r"\s", unit)]
