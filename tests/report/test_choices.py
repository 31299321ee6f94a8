"""Grouping, columns and order of the table."""

from __future__ import annotations

import msgspec
import pytest

from pytest_llmbench.domain.baseline import (
    Baseline,
    BaselineCase,
    BaselineSession,
    BaselineVariant,
)
from pytest_llmbench.domain.record import Environment, Relative
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.choices import TableChoice, chosen
from pytest_llmbench.report.columns import DEFAULT, columns_named, known_columns
from pytest_llmbench.report.rows import session_rows
from pytest_llmbench.report.table import render_table

from .facts import MEASURED, case, example, life, ok, regressed, session


def table(record, width=160, baseline=None, **words) -> list[str]:
    choice = chosen(**{"group": None, "columns": None, "sort": None, **words})
    rows = choice.ordered(session_rows(record, choice.group))
    shape = choice.shape(baseline)
    return render_table(rows, width=width, color=False, shape=shape).splitlines()


def names(record, **words) -> list[str]:
    lines = table(record, **words)
    rule = next(n for n, line in enumerate(lines) if set(line) == {"─"})
    return [line.split()[0] for line in lines[rule + 1 :]]


def test_nothing_chosen_is_the_usual_table() -> None:
    usual = render_table(session_rows(example()), width=120, color=False)
    assert "\n".join(table(example(), 120)) == usual
    assert chosen(None, None, None) == TableChoice()


def test_by_variant_there_is_one_row_each() -> None:
    lines = table(example(), group="variant")
    assert [line.split()[0] for line in lines[-2:]] == ["base-fp16", "finetuned-int8"]
    assert "suite" not in lines[0] + lines[1]
    assert "91.7 % of 24" in lines[-2]


def test_by_task() -> None:
    record = session([case(ok()), case(ok(), prompt="q", suite="tasks")], [life()])
    lines = table(record, group="task", columns="cases")
    assert lines[0].split() == ["variant", "task", "cases"]
    assert [line.split() for line in lines[2:]] == [["base-fp16", "qa", "2"]]


def test_columns_are_shown_as_typed_even_without_a_value() -> None:
    lines = table(example(), columns="verdict, score,device ,kl_p99")
    assert lines[1].split() == ["variant", "suite", "verdict", "score", "peak", "kl_p99"]
    assert lines[3].split()[-3:] == ["–", "–", "–"]


def test_added_columns_stand_before_the_verdict() -> None:
    lines = table(example(), columns="+speed,+cases")
    assert lines[1].split()[-4:] == ["score", "speed", "cases", "verdict"]
    assert table(example(), columns="+ttft_s") == table(example())


def test_every_known_column_can_be_drawn_and_sorted_by() -> None:
    for key in known_columns():
        assert table(example(), 400, columns=key)
        if key != "history":
            assert len(names(example(), sort=key)) >= 4


def test_a_narrow_terminal_leaves_out_what_was_typed_last() -> None:
    lines = table(example(), 44, columns="ttft_s,decode_tps,latency_s,output_tps,verdict")
    assert lines[-1] == "(left out here: output tok/s, latency)"
    assert max(map(len, lines)) <= 44


def test_the_best_comes_first() -> None:
    assert names(example(), group="variant", sort="latency_s") == ["base-fp16", "finetuned-int8"]
    assert names(example(), group="variant", sort="decode_tps") == ["base-fp16", "finetuned-int8"]
    assert names(example(), group="variant", sort="-decode_tps") == ["finetuned-int8", "base-fp16"]


def test_the_worst_verdict_comes_first() -> None:
    record = session([case(ok(), variant="a"), case(regressed(), variant="b"), case(variant="c")])
    assert names(record, sort="verdict") == ["b", "a", "c"]
    assert names(record, sort="-verdict") == ["a", "b", "c"]


def test_what_has_no_value_comes_last_either_way() -> None:
    record = session([case(variant="none", metrics={}), case(variant="some")])
    assert names(record, sort="ttft_s") == names(record, sort="-ttft_s") == ["some", "none"]


def test_by_name() -> None:
    assert names(example(), sort="variant", columns="cases") == [
        *("base-fp16", "base-fp16", "finetuned-int8", "finetuned-int8")
    ]
    assert [line.split()[1] for line in table(example(), sort="-suite", columns="cases")[2:]] == [
        *("tasks", "tasks", "exo-five", "exo-five")
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"group": "prompt"}, "--llmbench-group=prompt: allowed are suite, variant, task"),
        ({"columns": "ttfs_s"}, "unknown column 'ttfs_s' .did you mean 'ttft_s'. allowed: load_s"),
        ({"columns": ""}, "write columns, such as"),
        ({"columns": "a,+b"}, "each with a plus"),
        ({"columns": "history:x"}, "unknown metric 'x'"),
        ({"sort": "x"}, "--llmbench-sort=x: unknown column 'x' .*allowed: variant, suite, task"),
        ({"sort": "-history:itl_s"}, "a history has no order"),
    ],
)
def test_what_is_unknown_is_one_sentence(words: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        chosen(**{"group": None, "columns": None, "sort": None, **words})


def in_turns(ratio: float):
    judged = case(ok(), variant="b", metrics={**MEASURED, "decode_tps": 10.0})
    told = {"decode_tps": Relative(to="a", value=ratio, launches=(ratio,), error=0.01)}
    record = msgspec.structs.replace(judged.record, relative=told)
    return msgspec.structs.replace(judged, record=record)


def test_speed_is_the_ratio_of_rounds_in_turns() -> None:
    record = session([case(ok(), variant="a"), in_turns(1.25)])
    record = msgspec.structs.replace(record, reference="a")
    assert [row.speed for row in session_rows(record)] == [1.0, 1.25]
    assert table(record, columns="speed")[-1].split() == ["b", "exo-five", "1.25×"]


def test_without_turns_it_is_that_of_the_same_cases() -> None:
    cases = [
        case(variant=variant, prompt=prompt, metrics={"decode_tps": rate})
        for variant, prompt, rate in (
            ("a", "p", 10.0),
            ("a", "q", 100.0),
            ("b", "p", 20.0),
            ("b", "q", 50.0),
            ("b", "alone", 1.0),
        )
    ]
    record = msgspec.structs.replace(session(cases), reference="a")
    a, b = session_rows(record)
    assert (a.speed, b.speed) == (1.0, pytest.approx(1.0))
    assert session_rows(session(cases))[0].speed is None


def kept(*rates: float) -> Baseline:
    sessions = tuple(
        BaselineSession(
            saved_at=f"2026-01-0{number}T00:00:00+00:00",
            environment=Environment(identity={}, context={}),
            variants={"a": BaselineVariant(identity={}, settings={}, metrics={"load_s": 1.0})},
            cases={
                "exo-five/a-sum-n64-t0": BaselineCase(
                    variant="a", workload={}, metrics={"decode_tps": rate, "ttft_s": 1 / rate}
                )
            },
        )
        for number, rate in enumerate(rates, start=1)
    )
    return Baseline(schema_version=2, machine="box", name="main", sessions=sessions)


def test_history_ends_with_this_session() -> None:
    record = session([case(ok(), variant="a", metrics={"decode_tps": 40.0, "ttft_s": 0.0123})])
    lines = table(record, baseline=kept(10.0, 20.0, 40.0), columns="history,history:ttft_s")
    assert lines[-1].split() == ["a", "exo-five", "▁▃██", "█▄▂▁"]
    assert "of ttft_s" in lines[1]
    assert table(record, columns="history")[-1].split() == ["a", "exo-five", "–"]
    assert table(record, baseline=kept(1.0), columns="history:load_s")[-1].split()[-1] == "▅·"


def test_the_usual_columns_are_known() -> None:
    assert set(DEFAULT) <= set(known_columns())
    assert [column.key for column in columns_named(DEFAULT, stacked=True)] == list(DEFAULT)
