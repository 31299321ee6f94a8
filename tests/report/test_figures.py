"""Figures: the numbers in them, what they say, and what they say where data is absent."""

from __future__ import annotations

import jsonschema
import msgspec
import pytest

from pytest_llmbench.report.figures import all_figures
from pytest_llmbench.report.figures.ranking import EVERYTHING, ranks
from pytest_llmbench.report.figures.select import rounds, shared
from pytest_llmbench.report.figures.sweeps import sweep_figures
from pytest_llmbench.report.json_report import session_document
from pytest_llmbench.report.palette import DAY, PAGE
from pytest_llmbench.report.results import results_of, study_of
from pytest_llmbench.report.specification import specification

from .facts import HOSTILE, case, example, life, session
from .studies import REFERENCE, VARIANTS, study

NAMES = (
    "verdicts-by-variant",
    "ranking",
    "score-by-task",
    "latency-by-task",
    "memory-by-task",
    "device-memory-by-task",
    "score-against-latency",
    "memory-peak",
    "memory-life-process",
    "memory-life-device",
    "memory-life-system",
    "life-times",
    "latency-by-length",
    "throughput-by-length",
    "latency-by-temperature",
    "throughput-by-temperature",
    "latency-by-variant",
    "throughput-by-variant",
    "latency-histogram",
    "token-time-histogram",
    "drift-divergence",
    "drift-alike",
)


def read(record):
    return study_of([("one", results_of(session_document(record)))])


@pytest.fixture(scope="module")
def whole():
    return {figure.name: figure for figure in all_figures(study())}


def test_a_session_with_everything_has_every_figure(whole) -> None:
    assert tuple(whole) == NAMES
    assert not [name for name, figure in whole.items() if figure.absent]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_complete(whole, name) -> None:
    figure = whole[name]
    assert figure.title
    assert figure.caption.endswith((".", ". "))
    assert figure.says
    assert figure.rows
    assert all(len(line.cells) == len(figure.table.headings) for line in figure.table.lines)


@pytest.fixture(scope="module")
def vega_lite():
    """What holds a chart against the schema of Vega-Lite that altair carries."""
    import altair as alt

    return jsonschema.Draft7Validator(alt.load_schema())


@pytest.mark.engine("report")
@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_a_chart_for_page_and_paper(whole, vega_lite, name) -> None:
    for theme, width in ((PAGE, "container"), (DAY, 640)):
        drawn = specification(whole[name].drawing(theme), whole[name].rows, theme, width=width)
        assert drawn["data"] == {"name": "rows", "values": [dict(r) for r in whole[name].rows]}
        assert drawn["width"] == width
        assert not [error.message for error in vega_lite.iter_errors(drawn)]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_measured_says_so(name) -> None:
    figures = {figure.name: figure for figure in all_figures(read(session()))}
    assert figures[name].absent is not None
    assert figures[name].absent.endswith(".")
    assert not figures[name].rows


def test_what_is_not_known_says_why() -> None:
    absent = {figure.name: figure.absent for figure in all_figures(read(example()))}
    assert "VRAM" in absent["device-memory-by-task"]
    assert "max_new_tokens = [64, 128, 256]" in absent["latency-by-length"]
    assert "temperature = [0.3, 0.7]" in absent["throughput-by-temperature"]
    assert 'reference = "float16"' in absent["drift-divergence"]


def test_why_there_is_no_drift_is_the_records_reason() -> None:
    judged = case()
    judged = msgspec.structs.replace(
        judged, record=msgspec.structs.replace(judged.record, no_drift="its tokens are others")
    )
    absent = {f.name: f.absent for f in all_figures(read(session(cases=[judged])))}
    assert absent["drift-alike"] == "Drift is not known: its tokens are others."


def test_a_variant_has_one_colour_in_all_figures(whole) -> None:
    seen = {(row["variant"], row["series"]) for figure in whole.values() for row in figure.rows}
    assert seen == set(zip(VARIANTS, range(4), strict=True))


def test_a_reference_is_in_no_drift(whole) -> None:
    variants = {row["variant"] for row in whole["drift-divergence"].rows}
    assert variants == set(VARIANTS) - {REFERENCE}


def ranked(**of):
    return ranks(read(session(**of)))


def test_ranking_by_what_is_known_of_all() -> None:
    quick = {"output_tps": 100.0, "latency_s": 1.0, "score": 0.5}
    good = {"output_tps": 50.0, "latency_s": 2.0, "score": 1.0, "rss_peak_bytes": 7.0}
    found = ranked(cases=[case(variant="quick", metrics=quick), case(variant="good", metrics=good)])
    overall = [rank for rank in found if rank.task == EVERYTHING]
    assert [(rank.place, rank.variant) for rank in overall] == [(1, "good"), (2, "quick")]
    assert overall[0].shares == pytest.approx({"quality": 1.0, "speed": 0.5})
    assert overall[0].index == pytest.approx(0.5 ** (1 / 3))
    assert overall[1].index == pytest.approx(0.5 ** (2 / 3))
    assert "memory" in overall[0].amounts


def test_equals_share_a_place() -> None:
    metrics = {"output_tps": 10.0}
    found = ranked(cases=[case(variant=name, metrics=metrics) for name in ("a", "b")])
    assert [rank.place for rank in found] == [1, 1]


def test_only_what_all_were_asked_is_compared() -> None:
    record = session(
        cases=[
            case(variant="a", prompt="both"),
            case(variant="b", prompt="both"),
            case(variant="a", prompt="only"),
        ]
    )
    assert {c.prompt_id for c in shared(read(record).cases)} == {"both"}


def test_where_nothing_is_shared_all_count() -> None:
    record = session(cases=[case(variant="a", prompt="one"), case(variant="b", prompt="two")])
    assert len(shared(read(record).cases)) == 2


def test_the_front_is_what_nobody_beats() -> None:
    slow = {"latency_s": 2.0, "score": 1.0}
    beaten = {"latency_s": 3.0, "score": 0.9}
    quick = {"latency_s": 1.0, "score": 0.5}
    figure = next(
        figure
        for figure in all_figures(
            read(
                session(
                    cases=[
                        case(variant=name, metrics=metrics)
                        for name, metrics in (("slow", slow), ("beaten", beaten), ("quick", quick))
                    ]
                )
            )
        )
        if figure.name == "score-against-latency"
    )
    assert figure.says == "Not beaten in both: slow, quick."
    assert {row["variant"] for row in figure.rows if row["front"]} == {"slow", "quick"}
    assert {row["cost"] for row in figure.rows} == {1.0, 2.0, 3.0}


def test_heat_is_stronger_where_it_is_better(whole) -> None:
    levels = {(row["variant"], row["task"]): row["level"] for row in whole["latency-by-task"].rows}
    assert levels["float16", "coding"] == 6
    assert levels["gguf-q4_0", "qa"] == 0


def test_a_histogram_holds_all(whole) -> None:
    for name in ("latency-histogram", "token-time-histogram"):
        for variant in VARIANTS:
            shares = [r["share"] for r in whole[name].rows if r["variant"] == variant]
            assert sum(shares) == pytest.approx(1.0, abs=0.005)
            assert shares[0] == shares[-1] == 0


def test_sweeps_hold_only_suites_that_vary(whole) -> None:
    assert {row["at"] for row in whole["latency-by-length"].rows} == {"64", "128", "256"}
    assert {row["at"] for row in whole["latency-by-temperature"].rows} == {"0", "0.7"}
    lines = whole["latency-by-length"].table.lines
    assert [line.cells[-1] for line in lines] == ["20"] * 12


def test_the_life_goes_up_and_down_again(whole) -> None:
    life_of = {
        row["moment"]: row["amount"]
        for row in whole["memory-life-process"].rows
        if row["variant"] == REFERENCE
    }
    assert list(life_of) == ["before", "loaded", "peak", "freed"]
    assert life_of["before"] < life_of["freed"] < life_of["loaded"] < life_of["peak"]
    assert "increase" not in life_of


def test_tables_of_lives_say_the_increase_and_the_sum(whole) -> None:
    process, times = whole["memory-life-process"].table, whole["life-times"].table
    assert process.headings == ("variant", "before", "loaded", "peak", "freed", "increase")
    assert process.lines[0].cells[-1] == "510 MiB"
    assert times.headings == ("variant", "start", "load", "first generation", "free", "in all")
    assert times.lines[0].cells[1:3] == ("4.1 s", "2.9 s")
    assert times.lines[0].cells[-1].startswith("7.4")


def test_no_sum_is_told_of_what_is_not_whole() -> None:
    variant = life("a")
    only = {"load_s": variant.record.life_cycle["load_s"]}
    variant = msgspec.structs.replace(
        variant, record=msgspec.structs.replace(variant.record, life_cycle=only)
    )
    figures = all_figures(read(session(variants=[variant])))
    figure = next(each for each in figures if each.name == "life-times")
    assert figure.table.headings == ("variant", "load")


@pytest.mark.engine("report")
def test_hostile_names_are_values_and_never_expressions() -> None:
    record = session(
        cases=[case(variant=name, suite=HOSTILE) for name in ("datum['a'].b[0]", HOSTILE)],
        variants=[life("datum['a'].b[0]"), life(HOSTILE)],
    )
    for figure in all_figures(read(record)):
        if figure.absent is None:
            drawn = specification(figure.drawing(PAGE), figure.rows, PAGE, width="container")
            fields = set(_values(drawn, "field"))
            assert fields <= {key for row in figure.rows for key in row}
            assert "\x1b" not in str(drawn)


def _values(of, key):
    if isinstance(of, dict):
        for name, value in of.items():
            if name == key and isinstance(value, str):
                yield value
            elif name != "values":
                yield from _values(value, key)
    elif isinstance(of, list):
        for item in of:
            yield from _values(item, key)


def test_the_session_of_these_tests_is_a_valid_record() -> None:
    from pytest_llmbench.report.json_schema import results_schema

    from .studies import session as whole_session

    document = session_document(whole_session(prompts=1, rounds=2))
    assert not [*jsonschema.Draft202012Validator(results_schema()).iter_errors(document)]


def test_every_case_counts_for_as_much() -> None:
    """However often it was disturbed, and repeated."""
    often = of_rounds(0.01, 0.01, 0.01, 0.01, 0.01, 0.01)
    once = of_rounds(0.03, 0.03, 0.03)
    assert rounds([often, once], "latency_s") == [0.01] * 3 + [0.03] * 3
    assert rounds([of_rounds(0.09, 0.01, 0.01), of_rounds(0.02)], "latency_s") == [0.01, 0.02]
    assert rounds([], "latency_s") == rounds([of_rounds()], "latency_s") == []


def of_rounds(*values: float):
    """A case with these latencies."""
    one = study(rounds=1, grid=False, prompts=1).cases[0]
    told = {"latency_s": msgspec.structs.replace(one.metrics["latency_s"], rounds=values)}
    return msgspec.structs.replace(one, metrics=told)


def test_a_sweep_is_over_questions_that_were_measured_at_every_point() -> None:
    """Longer must not look faster because the slow ones failed there."""
    whole = study()
    broken = tuple(
        msgspec.structs.replace(case, error="too long", metrics={})
        if case.parameters.max_new_tokens == 256 and case.prompt_id == first
        else case
        for first in (next(c.prompt_id for c in whole.cases if c.parameters.max_new_tokens == 256),)
        for case in whole.cases
    )
    changed = msgspec.structs.replace(whole, cases=broken)
    found = {figure.name: figure for figure in sweep_figures(changed)}["latency-by-length"]
    counts = {line.cells[1]: line.cells[-1] for line in found.table.lines}
    assert len(set(counts.values())) == 1, "as many rounds at each point"
