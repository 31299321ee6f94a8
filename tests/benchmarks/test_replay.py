"""Draws are the same every time, what is planted is planted, and what is counted is that."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import ours
import pytest
import replay
from replay import Draw, PerCell, draws, rules
from sessions import (
    TIMES,
    Cell,
    Plant,
    Session,
    among,
    recordings,
    slowed,
    together,
    twin_of,
)

from tests.benchmarks.launches import FIELDS, PROMPTS, VARIANTS, launch

LAUNCHES = [launch(seed=seed, noise=0.01) for seed in range(8)]
ALL_OF_LARGE = Plant(variant="large", prompt=None, slowdown=0.5)


class Accusing:
    """Accuses the same cells whatever it sees, and remembers what it saw."""

    def __init__(self, *accused: tuple[str, str, str]) -> None:
        self.accused = {Cell(*each) for each in accused}
        self.seen: list[tuple[Sequence[Session], Session, Sequence[Session]]] = []

    def judge(
        self, baseline: Sequence[Session], now: Session, fresh: Sequence[Session]
    ) -> set[Cell]:
        self.seen.append((baseline, now, fresh))
        return self.accused


def one_draw() -> Draw:
    return Draw(
        baseline=tuple(LAUNCHES[:5]),
        now=LAUNCHES[5],
        fresh=tuple(LAUNCHES[6:]),
        variant="large",
        prompt="short",
    )


def test_cells_are_variants_prompts_and_two_metrics() -> None:
    cells = LAUNCHES[0].cells
    assert len(cells) == len(VARIANTS) * len(PROMPTS) * 2
    assert {cell.metric for cell in cells} == {"itl_s", "ttft_s"}


# --- planting -----------------------------------------------------------------------------------


def test_all_times_of_the_variant_grow_by_the_share_and_nothing_else_changes() -> None:
    slow = slowed(LAUNCHES[0], ALL_OF_LARGE)
    for key, column in LAUNCHES[0].figures.items():
        variant, _, field = key
        times = variant == "large" and field in TIMES
        assert slow.figures[key] == tuple(figure * (1.5 if times else 1) for figure in column)


def test_one_case_alone_can_be_slow() -> None:
    plant = Plant(variant="small", prompt="long", slowdown=0.5)
    slow = slowed(LAUNCHES[0], plant)
    changed = {key[:2] for key in slow.figures if slow.figures[key] != LAUNCHES[0].figures[key]}
    assert changed == {("small", "long")}


def test_this_session_and_the_fresh_ones_are_slowed_and_the_baseline_is_not() -> None:
    rule = Accusing()
    replay.replay({"r": rule}, [one_draw()], (0.0, 0.5), one_case=False)
    (quiet_before, quiet, quiet_fresh), (before, now, fresh) = rule.seen
    assert list(before) == list(quiet_before) == LAUNCHES[:5]
    assert quiet == LAUNCHES[5]
    assert list(quiet_fresh) == LAUNCHES[6:]
    assert now == slowed(LAUNCHES[5], ALL_OF_LARGE)
    assert list(fresh) == [slowed(each, ALL_OF_LARGE) for each in LAUNCHES[6:]]


# --- drawing ------------------------------------------------------------------------------------


def drawn(seed: int = 0, condition: str = "quiet", count: int = 20) -> list[Draw]:
    return draws(condition, LAUNCHES, count=count, baseline=5, seed=seed)


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    assert drawn() == drawn()
    assert drawn()[:7] == drawn(count=7)
    assert drawn() != drawn(seed=1)
    assert drawn() != drawn(condition="bursty")


def test_no_session_is_drawn_twice_and_all_are_there() -> None:
    for draw in drawn():
        parts = [*draw.baseline, draw.now, *draw.fresh]
        assert len(draw.baseline) == 5
        assert sorted(map(id, parts)) == sorted(map(id, LAUNCHES))


def test_every_variant_and_prompt_is_a_victim_in_turn() -> None:
    victims = {(draw.variant, draw.prompt) for draw in drawn(count=100)}
    assert victims == {(variant, prompt) for variant in VARIANTS for prompt in PROMPTS}


def test_several_recorded_sessions_are_the_launches_of_one() -> None:
    for draw in draws("quiet", LAUNCHES, count=5, baseline=2, seed=0, launches=2):
        assert (len(draw.baseline), len(draw.fresh)) == (2, 2)
        columns = [
            session.figures["small", "long", "itl_s"] for session in (*draw.baseline, draw.now)
        ]
        recorded = {s.figures["small", "long", "itl_s"] for s in LAUNCHES if s not in draw.fresh}
        assert {half for column in columns for half in (column[:8], column[8:])} == recorded
        assert draw.now.figures["small", "long", "launch"] == (0,) * 8 + (1,) * 8
    with pytest.raises(ValueError, match="8 sessions are recorded, 9 are needed"):
        draws("quiet", LAUNCHES, count=1, baseline=2, seed=0, launches=3)


def test_the_judge_sees_the_launches_of_a_session_and_numbers_fresh_ones_on() -> None:
    rounds = ours._all_rounds(("small", "long"), [together(LAUNCHES[:2]), LAUNCHES[2]])
    assert [entry.launch for entry in rounds] == [0] * 8 + [1] * 8 + [2] * 8
    gap = rounds[16].trace.stamps_ns[1] - rounds[16].trace.stamps_ns[0]
    assert gap == pytest.approx(LAUNCHES[2].figures["small", "long", "itl_s"][0] * 1e9, abs=1)


def test_too_few_sessions_are_said_with_what_to_type() -> None:
    assert draws("quiet", LAUNCHES[:6], count=1, baseline=5, seed=0)
    with pytest.raises(ValueError, match=r"5 sessions are recorded, 6 are needed; type: .* 1$"):
        draws("quiet", LAUNCHES[:5], count=1, baseline=5, seed=0)


# --- side by side -------------------------------------------------------------------------------

TWINS = [launch(seed=seed, noise=0.01, twins=True) for seed in range(8)]


def test_twins_are_held_against_and_not_accused() -> None:
    assert TWINS[0].cells == LAUNCHES[0].cells
    key, other = ("large", "short", "itl_s"), ("large@twin", "short", "itl_s")
    assert TWINS[0].other_side.figures[key] == TWINS[0].figures[other] != TWINS[0].figures[key]
    slow = slowed(TWINS[0], ALL_OF_LARGE)
    assert slow.other_side.figures == TWINS[0].other_side.figures
    assert slow.figures[key] != TWINS[0].figures[key]


def test_without_a_baseline_a_rule_is_given_the_twin() -> None:
    given = []
    PerCell(lambda baseline, now: bool(given.append((baseline, now)))).judge((), TWINS[0], ())
    figures = TWINS[0].figures
    assert given == [
        ((figures[f"{cell.variant}@twin", cell.prompt, cell.metric],), figures[cell])
        for cell in TWINS[0].cells
    ]


def test_side_by_side_the_slowed_one_is_found_by_all_launches_and_no_other() -> None:
    taken = draws("quiet", TWINS, count=3, baseline=0, seed=0, launches=2)
    assert [(len(draw.baseline), len(draw.fresh)) for draw in taken] == [(0, 6)] * 3
    found = replay.replay(rules(["ours", "benchstat"]), taken, (0.0, 0.2), one_case=False)
    for name in ("ours", "benchstat"):
        assert found[name, 0.2].detected == 1
    assert (found["ours", 0.0].any, found["ours", 0.2].others) == (0, 0)


def test_without_twins_there_has_to_be_a_baseline() -> None:
    with pytest.raises(ValueError, match=r"quiet: these sessions hold no twins.*--baseline 0$"):
        draws("quiet", LAUNCHES, count=1, baseline=0, seed=0)


# --- counting -----------------------------------------------------------------------------------


def rates(*accused: tuple[str, str, str], one_case: bool = False) -> replay.Rates:
    found = replay.replay({"r": Accusing(*accused)}, [one_draw()], (0.5,), one_case=one_case)
    return found["r", 0.5]


def test_nobody_accused() -> None:
    assert rates() == replay.Rates(
        draws=1, cells=8, any=0, share=0, detected=0, found=0, others=0, by_victim={"large": [0]}
    )


def test_one_slowed_cell_accused() -> None:
    found = rates(("large", "short", "itl_s"))
    assert (found.any, found.detected, found.others) == (1, 1, 0)
    assert (found.share, found.found) == (1 / 8, 1 / 4)


def test_another_variant_accused() -> None:
    found = rates(("small", "short", "itl_s"))
    assert (found.any, found.detected, found.others, found.found) == (1, 0, 1, 0)


def test_a_whole_variant_accused_is_all_of_its_prompts() -> None:
    found = rates(("large", "*", "itl_s"))
    assert (found.detected, found.found, found.others) == (1, 1 / 2, 0)
    one = rates(("large", "*", "itl_s"), one_case=True)
    assert (one.detected, one.found, one.others) == (1, 1 / 2, 1)


def test_rates_are_means_over_draws() -> None:
    class Every(Accusing):
        def judge(self, *what: object) -> set[Cell]:
            self.accused = set() if self.accused else {Cell("large", "*", "itl_s")}
            return self.accused

    found = replay.replay({"r": Every()}, [one_draw()] * 4, (0.5,), one_case=False)["r", 0.5]
    assert (found.draws, found.any, found.found) == (4, 0.5, 0.25)


# --- rules --------------------------------------------------------------------------------------


def test_a_rule_per_cell_is_given_the_rounds_of_that_cell() -> None:
    def decide(baseline: Sequence[Sequence[float]], now: Sequence[float]) -> bool:
        given.append((tuple(baseline), tuple(now)))
        return now == LAUNCHES[5].figures["small", "long", "ttft_s"]

    given: list[tuple[object, object]] = []
    accused = PerCell(decide).judge(LAUNCHES[:2], LAUNCHES[5], ())
    assert accused == {("small", "long", "ttft_s")}
    key = ("large", "short", "itl_s")
    before = tuple(each.figures[key] for each in LAUNCHES[:2])
    assert (before, LAUNCHES[5].figures[key]) in given


def test_a_large_slowdown_is_found_by_every_peer_and_pinned_on_the_right_one() -> None:
    steady = [launch(seed=seed, noise=0.001) for seed in range(7)]
    taken = draws("quiet", steady, count=3, baseline=5, seed=0)
    found = replay.replay(rules([*replay.RULES]), taken, (0.5,), one_case=False)
    assert len(found) == len(replay.RULES)
    for (name, _), seen in found.items():
        assert (seen.detected, seen.found) == (1, 1), name
    assert found["pytest-benchmark-mean", 0.5].others == 0


def test_replaying_twice_gives_the_same() -> None:
    peers = rules(["criterion", "benchstat"])
    first, second = (
        replay.replay(peers, drawn(count=5), (0.0, 0.05), one_case=True) for _ in range(2)
    )
    assert first == second


def test_a_rule_is_asked_for_by_name() -> None:
    assert list(rules(["asv", "benchstat"])) == ["asv", "benchstat"]
    assert set(replay.RULES) <= set(rules())
    with pytest.raises(ValueError, match="no rule 'astat'; write one of: pytest-benchmark-mean"):
        rules(["astat"])


def test_ours_is_there_when_its_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "HERE", tmp_path)
    monkeypatch.setattr(replay, "OURS", "ours_for_a_test")
    assert "ours_for_a_test" not in rules()
    (tmp_path / "ours_for_a_test.py").write_text("class Ours: judge = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert type(rules(["ours_for_a_test"])["ours_for_a_test"]).__name__ == "Ours"


# --- recordings ---------------------------------------------------------------------------------


def write(folder: Path, condition: str, *lines: object) -> None:
    words = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / f"{condition}.jsonl").write_text("".join(f"{line}\n" for line in words))


LINE = {
    "fields": FIELDS,
    "reference": "v",
    "rounds": {"v": {"p": [[0, 1, 2, 3, 0.5, 0], [9, 8, 7, 6, 0, 0]]}},
}


def test_recordings_are_read_by_condition_the_quiet_ones_first(tmp_path: Path) -> None:
    write(tmp_path, "bursty", LINE)
    write(tmp_path, "quiet", LINE, LINE)
    found = recordings(tmp_path)
    assert [(name, len(sessions)) for name, sessions in found.items()] == [
        ("quiet", 2),
        ("bursty", 1),
    ]
    assert found["bursty"][0].figures["v", "p", "ttft_s"] == (1, 8)


def test_several_folders_are_read_as_one(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    write(one, "bursty", LINE)
    write(other, "bursty", LINE, LINE)
    write(other, "quiet", LINE)
    found = recordings(one, other)
    assert {name: len(sessions) for name, sessions in found.items()} == {"quiet": 1, "bursty": 3}
    assert list(found) == ["quiet", "bursty"]


def test_sessions_of_other_variants_do_not_fit_together(tmp_path: Path) -> None:
    other = {**LINE, "reference": "w", "rounds": {"w": LINE["rounds"]["v"]}}
    write(tmp_path, "quiet", LINE, other)
    with pytest.raises(ValueError, match=r"quiet.jsonl: not all sessions have the variants v, "):
        recordings(tmp_path)


def test_an_empty_recording(tmp_path: Path) -> None:
    write(tmp_path, "quiet")
    with pytest.raises(ValueError, match=r"quiet.jsonl holds no session; delete it"):
        recordings(tmp_path)


def test_some_variants_alone_are_those_with_their_twins() -> None:
    alone = among(TWINS[0], ["small"], None)
    assert alone.reference is None
    assert {key[0] for key in alone.figures} == {"small", twin_of("small")}
    assert alone.figures.items() <= TWINS[0].figures.items()


def test_another_variant_can_be_the_reference() -> None:
    assert LAUNCHES[0].reference == "large"
    assert among(LAUNCHES[0], None, "small") == dataclasses.replace(LAUNCHES[0], reference="small")


@pytest.mark.parametrize(
    ("variants", "reference", "said"),
    [
        (["tiny"], None, "no variant 'tiny' was recorded; write one of: large, small"),
        (["small"], None, "the reference 'large' is not among the variants; --reference names"),
        (None, "tiny", "the reference 'tiny' is not among the variants; .* another: large, small"),
    ],
)
def test_what_was_not_recorded_is_named(
    variants: list[str] | None, reference: str | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        among(LAUNCHES[0], variants, reference)


def test_the_command_s_options_choose_variants(tmp_path: Path) -> None:
    rounds = LINE["rounds"]["v"]
    write(tmp_path, "quiet", {**LINE, "rounds": dict.fromkeys("vwx", rounds)})
    parser = argparse.ArgumentParser()
    replay.add_options(parser, count=1, planted=1)
    words = ["--recordings", str(tmp_path), "--variant=w", "--variant=x", "--reference=w"]
    ((condition, (session,)),) = replay.sessions_asked(parser.parse_args(words))
    assert (condition, session.reference) == ("quiet", "w")
    assert {cell.variant for cell in session.cells} == {"w", "x"}


def test_nothing_recorded_is_said_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nothing is recorded in .*; type: .*record.py quiet 14"):
        recordings(tmp_path)


@pytest.mark.parametrize(
    "line", ['{"fields": ["at_s"', {"rounds": {}}, {**LINE, "fields": FIELDS[1:]}], ids=str
)
def test_a_damaged_line_is_named(tmp_path: Path, line: object) -> None:
    write(tmp_path, "quiet", LINE, line)
    with pytest.raises(ValueError, match=r"quiet.jsonl:2 is not a whole session; delete that"):
        recordings(tmp_path)


def test_the_number_of_processes_changes_nothing_and_few_draws_are_slowed(tmp_path: Path) -> None:
    rounds = [[[0, 1 + i, 2, 4, 0, 0], [0, 2, 3, 5, 0, 0]] for i in range(4)]
    lines = [{**LINE, "rounds": {"v": {"p": each}}} for each in rounds]
    write(tmp_path, "quiet", *lines)
    parser = argparse.ArgumentParser()
    replay.add_options(parser, count=6, planted=2)
    replay.add_launches(parser)
    found = []
    for jobs in (1, 2, 9):
        asked = parser.parse_args(
            ["--recordings", str(tmp_path), "--baseline", "2", "--jobs", str(jobs)]
        )
        found.append(list(replay.replayed(asked, rules(["criterion", "asv"]), (0.0, 0.5))))
    assert found[0] == found[1] == found[2]
    ((condition, sessions, rates),) = found[0]
    assert (condition, sessions) == ("quiet", 4)
    assert {key: seen.draws for key, seen in rates.items()} == {
        (name, share): 6 - 8 * share for name in ("criterion", "asv") for share in (0.0, 0.5)
    }


def test_a_condition_with_too_few_sessions_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "quiet", *[LINE] * 3)
    write(tmp_path, "bursty", *[LINE] * 2)
    parser = argparse.ArgumentParser()
    replay.add_options(parser, count=2, planted=2)
    replay.add_launches(parser)
    asked = parser.parse_args(["--recordings", str(tmp_path), "--baseline", "2", "--jobs", "1"])
    found = list(replay.replayed(asked, rules(["asv"]), (0.0,)))
    assert [each[:2] for each in found] == [("quiet", 3)]
    assert "bursty: 2 sessions are recorded, 3 are needed" in capsys.readouterr().err
    asked.condition = ["bursty"]
    assert not list(replay.replayed(asked, rules(["asv"]), (0.0,)))
