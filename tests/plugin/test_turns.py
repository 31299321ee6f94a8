"""Turns and launches: who is measured when, in how many processes, and how often."""

from __future__ import annotations

import json

import pytest

from pytest_llmbench.runner.lives import Lives
from pytest_llmbench.worker import Worker
from tests.plugin.conftest import GIB, Project, with_free_memory

APART = "--llmbench-interleave=off"
IN_TURNS = [
    "small::fast-paris-n64-t0",
    "small::slow-paris-n64-t0",
    "small::fast-poem-n64-t0",
    "small::slow-poem-n64-t0",
    "life-cycle::slow",
    "life-cycle::fast",
]
ONE_BY_ONE = [
    "small::fast-paris-n64-t0",
    "small::fast-poem-n64-t0",
    "life-cycle::fast",
    "small::slow-paris-n64-t0",
    "small::slow-poem-n64-t0",
    "life-cycle::slow",
]
JITTER = (
    "--llmbench-set=variants.fast.jitter=0.2",
    "--llmbench-set=variants.fast.noise_seed=1",
    "--llmbench-set=variants.slow.jitter=0.2",
    "--llmbench-set=variants.slow.noise_seed=2",
)


def order(project: Project, *arguments: str) -> list[str]:
    """The items in the order in which they run."""
    lines = project.run("--co", "-q", *arguments).outlines
    return [line.removeprefix("llmbench.toml::") for line in lines if "::" in line]


def case_of(document: dict, name: str) -> dict:
    (found,) = (case for case in document["cases"] if case["id"] == f"small/{name}-n64-t0")
    return found


def turns(document: dict, name: str) -> list[int]:
    return [entry["turn"] for entry in case_of(document, name)["rounds"]]


def in_turns(document: dict) -> bool:
    """Whether the two variants took turns, and ratios are known by it."""
    ratio = "itl_s" in case_of(document, "slow-paris")["relative"]
    assert ratio is (turns(document, "fast-paris") == turns(document, "slow-paris"))
    return ratio


def test_variants_take_turns_prompt_by_prompt(small: Project) -> None:
    assert order(small) == IN_TURNS
    document = small.run_json()
    assert in_turns(document)
    assert document["reference"] == "fast"
    ratio = case_of(document, "slow-poem")["relative"]["itl_s"]
    assert ratio["to"] == "fast"
    assert ratio["value"] == pytest.approx(2.0)
    assert case_of(document, "fast-poem")["relative"] == {}
    assert document["control"] == {}
    assert document["readings"] == {"pace_s": 0.01, "calibration_s": 0.01}


def test_they_can_be_measured_one_after_the_other(small: Project) -> None:
    assert order(small, APART) == ONE_BY_ONE
    document = small.run_json(APART)
    assert not in_turns(document)
    assert document["control"] == {"ttft_s": pytest.approx(0), "itl_s": pytest.approx(0)}
    result = small.run(APART)
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["fast, measured again at the end: ttft_s 0 %, itl_s 0 %"])


def test_rounds_in_turns_are_cut_and_others_are_whole(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[str] = []
    in_slices = Worker.generate_in_slices

    def watched(self, *args, **more):
        cut.append(self.variant.id)
        return (yield from in_slices(self, *args, **more))

    monkeypatch.setattr(Worker, "generate_in_slices", watched)
    real = [f"--llmbench-set=variants.{name}.work=1" for name in ("fast", "slow")]
    small.run(*real).assert_outcomes(passed=6)
    assert sorted(set(cut)) == ["fast", "slow"]
    assert cut.count("fast") == cut.count("slow") >= 6
    cut.clear()
    small.run(APART, *real).assert_outcomes(passed=6)
    small.run("-k", "fast", *real).assert_outcomes(passed=3, deselected=3)
    assert cut == []


def test_the_control_is_the_reference_s_first_launch_against_its_last(small: Project) -> None:
    document = small.run_json(APART, *JITTER, "--llmbench-set=variants.fast.noise_seed=7")
    rounds = [len(case_of(document, f"fast-{name}")["rounds"]) for name in ("paris", "poem")]
    assert rounds == [6, 6]
    launches = [entry["launch"] for entry in case_of(document, "fast-paris")["rounds"]]
    assert launches == [0, 0, 0, 1, 1, 1]
    assert len(case_of(document, "slow-paris")["rounds"]) == 3


@pytest.mark.parametrize(
    ("gib", "mode", "together"),
    [(2, "auto", False), (2, "on", True), (2, "off", False), (3, "auto", True), (3, "off", False)],
)
def test_what_fits_in_memory_is_loaded_together(
    small: Project, monkeypatch: pytest.MonkeyPatch, gib: int, mode: str, together: bool
) -> None:
    with_free_memory(monkeypatch, gib * GIB)
    assert order(small, f"--llmbench-interleave={mode}") == (IN_TURNS if together else ONE_BY_ONE)


def test_why_variants_do_not_take_turns_is_said(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free_memory(monkeypatch, 2 * GIB)
    small.run().stdout.fnmatch_lines(
        [
            "measured one after the other:",
            "  'slow' is not loaded together with 'fast': *80 % of the 2 GiB that are free; *=on",
            "fast, measured again at the end: *",
        ]
    )
    small.run("--llmbench-interleave=on").stdout.no_fnmatch_line("measured one after the other:")
    small.run("--llmbench-interleave=off").stdout.no_fnmatch_line("measured one after the other:")


def test_a_crew_is_freed_before_the_next_is_loaded(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reference too, though it was loaded again after its last item, for another's sake."""
    small.run("--llmbench-save")
    third = '[variants.third]\nengine = "scripted"\n[suites'
    small.with_files(llmbench_toml=small.text("llmbench.toml").replace("[suites", third, 1))
    with_free_memory(monkeypatch, GIB)  # of two variants it is known how little they take
    beside: dict[str, set[str]] = {}
    begin = Lives._begin

    def watched(self, variant):
        beside[variant.id] = set(self._live)
        return begin(self, variant)

    monkeypatch.setattr(Lives, "_begin", watched)
    result = small.run("--llmbench-plant=slow=30%", "-k", "not life")
    result.assert_outcomes(passed=4, failed=2, deselected=3)
    assert beside["third"] == set()


def test_other_tests_of_a_variant_run_between_its_cases_and_its_life(small: Project) -> None:
    small.with_files(test_z_py="def test_z(llmbench_variant): llmbench_variant.generate('hi')\n")
    own = ["test_z.py::test_z[fast]", "test_z.py::test_z[slow]"]
    assert order(small) == [*IN_TURNS[:4], *own, *IN_TURNS[4:]]
    assert order(small, APART) == [
        *ONE_BY_ONE[:2], own[0], *ONE_BY_ONE[2:5], own[1], ONE_BY_ONE[5]
    ]  # fmt: skip
    small.run().assert_outcomes(passed=8)


def test_every_case_is_measured_in_as_many_launches(small: Project) -> None:
    document = small.run_json("--llmbench-launches=2")
    for case in document["cases"]:
        assert [entry["launch"] for entry in case["rounds"]] == [0, 0, 0, 1, 1, 1]
        assert len(case["metrics"]["itl_s"]["launches"]) == 2
    assert len(case_of(document, "slow-paris")["relative"]["itl_s"]["launches"]) == 2
    for variant in document["variants"].values():
        assert {"load_s", "free_s"} <= variant["life_cycle"].keys()


def test_the_number_of_rounds_can_be_left_open(small: Project) -> None:
    def rounds(*arguments: str) -> list[int]:
        document = small.run_json("--llmbench-no-compare", *arguments)
        return [len(case["rounds"]) for case in document["cases"]]

    assert rounds() == [3] * 4
    assert rounds("--llmbench-rounds=auto") == [4] * 4, "they repeat exactly"
    assert min(rounds("--llmbench-rounds=auto", *JITTER)) > 4
    assert rounds("--llmbench-rounds=2", *JITTER) == [2, 2, 2, 3], (
        "one was warm-up: slow goes along"
    )


def test_the_budget_ends_open_rounds_too(small: Project) -> None:
    document = small.run_json("--llmbench-rounds=auto", "--llmbench-max-time=1us")
    assert [len(case["rounds"]) for case in document["cases"]] == [1] * 4


def test_ini_keys_do_the_same(small: Project) -> None:
    small.with_files(
        pytest_ini=(
            "[pytest]\nllmbench = true\nllmbench_machine = box\nllmbench_json = out.json\n"
            "llmbench_interleave = off\nllmbench_launches = 2\nllmbench_rounds = auto\n"
        )
    )
    small.run_plain().assert_outcomes(passed=6)
    document = json.loads((small.root / "out.json").read_text())
    assert not in_turns(document)
    assert [entry["launch"] for entry in case_of(document, "slow-poem")["rounds"]] == [0] * 4 + [
        1
    ] * 4
    small.run_plain("--llmbench-interleave=on", "--llmbench-rounds=3").assert_outcomes(passed=6)
    document = json.loads((small.root / "out.json").read_text())
    assert in_turns(document)
    assert len(case_of(document, "slow-poem")["rounds"]) == 6


def test_nothing_that_was_not_asked_for_is_measured(small: Project) -> None:
    for asked, cases in (
        (["-k", "slow-poem"], ["slow-poem"]),
        (["llmbench.toml::small::slow-poem-n64-t0"], ["slow-poem"]),
        (["-k", "poem"], ["fast-poem", "slow-poem"]),
        (["llmbench.toml::life-cycle::slow"], []),
        (["--llmbench-launches=2", "-k", "slow-poem"], ["slow-poem"]),
        ([APART, "-k", "slow-poem"], ["slow-poem"]),
    ):
        document = small.run_json(*asked)
        assert [case["id"] for case in document["cases"]] == [
            f"small/{name}-n64-t0" for name in cases
        ], asked
        assert document["control"] == {}


BROKEN = "--llmbench-set=variants.fast.limits.itl_s=<= 1 ms"


@pytest.mark.parametrize("how", ["-x", "--maxfail=1"])
def test_after_the_last_failure_nothing_is_measured(small: Project, how: str) -> None:
    small.with_files(llmbench_toml=small.text("llmbench.toml").replace('"fast"', '"slow"', 1))
    document = small.run_json(APART, how, BROKEN)
    assert document["reference"] == "slow"
    assert [case["id"] for case in document["cases"]] == [
        f"small/slow-{name}-n64-t0" for name in ("paris", "poem")
    ] + ["small/fast-paris-n64-t0"]
    assert document["control"] == {}, "the session was stopped"
    assert small.run_json(APART, BROKEN)["control"] != {}


def test_what_failed_last_is_measured_alone(small: Project) -> None:
    project = Project(small.pytester, light=False)
    project.run(BROKEN).assert_outcomes(passed=4, failed=2)
    document = project.run_json("--lf")
    assert [case["id"] for case in document["cases"]] == [
        f"small/fast-{name}-n64-t0" for name in ("paris", "poem")
    ]
