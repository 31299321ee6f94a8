"""A session of the self-test: wired, ordered and judged as one of ``pytest --llmbench``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli.selftest_reach import SPEED
from pytest_llmbench.cli.selftest_session import NAME, Laboratory, Trial
from pytest_llmbench.cli.selftest_subject import configured_subject
from pytest_llmbench.config import load_config
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import Environment, JudgedVariant, Readings
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.engines import engine_options
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.crews import Interleave
from pytest_llmbench.runner.progress import Quiet
from pytest_llmbench.units import format_percent

pytestmark = pytest.mark.usefixtures("steady_machine")

PLANTED = 0.3
Make = Callable[..., Laboratory]


@pytest.fixture
def laboratory(project: Path) -> Make:
    """A laboratory on the project's two variants, with so many sessions kept."""

    def made(*, kept: int = 0, mode: Interleave = "auto", more: str = "") -> Laboratory:
        path = project / "llmbench.toml"
        path.write_text(path.read_text() + more)
        subject = configured_subject(load_config(path, engine_options()), (), None)
        environment = Environment(identity={"cpu": "any"}, context={})
        store = Store(project / "baselines")
        made = Laboratory(subject, store, environment, Quiet(), mode=mode)
        for number in range(kept):
            made.keep(made.measure(), first=number == 0)
        return made

    return made


def life(trial: Trial, variant: str) -> JudgedVariant:
    (found,) = (one for one in trial.record.variants if one.record.id == variant)
    return found


def test_variants_take_turns_and_their_ratio_is_kept(laboratory: Make) -> None:
    sample = laboratory().measure()
    assert (sample.errors, sample.absent, sample.apart) == ((), {}, ())
    assert sample.kept.reference == "fast"
    assert len(sample.kept.cases) == 4
    slow = [case for case in sample.kept.cases.values() if case.variant == "slow"]
    assert [case.relative["itl_s"] for case in slow] == pytest.approx([2.0, 2.0])
    assert sample.kept.variants["slow"].metrics["rss_after_load_bytes"] > 0


def test_variants_one_after_the_other_have_no_ratio(laboratory: Make) -> None:
    sample = laboratory(mode="off").measure()
    assert not any(case.relative for case in sample.kept.cases.values())


def test_sessions_add_up_and_the_first_starts_anew(laboratory: Make, project: Path) -> None:
    found = laboratory(kept=2)
    found.keep(found.measure(), first=False)
    store = Store(project / "baselines")
    (machine,) = store.machines()
    kept = store.read(machine, NAME)
    assert kept is not None
    assert len(kept.sessions) == 3
    found.keep(found.measure(), first=True)
    kept = store.read(machine, NAME)
    assert kept is not None
    assert len(kept.sessions) == 1


def test_the_usual_pace_of_what_was_kept_is_known(
    laboratory: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    paces = iter([2e-4, 1e-4, 3e-4])
    monkeypatch.setattr(Bench, "readings", lambda _: Readings(pace_s=next(paces)))
    found = laboratory()
    assert found.pace_s is None
    for number in range(3):
        found.keep(found.measure(), first=number == 0)
    assert found.pace_s == 2e-4


def test_a_variant_whose_engine_is_absent_is_told(laboratory: Make) -> None:
    absent = '[variants.absent]\nengine = "scripted"\nnot_installed = true\n'
    sample = laboratory(more=absent).measure()
    assert set(sample.absent) == {"absent"}
    assert "told not to be installed" in sample.absent["absent"]
    assert set(sample.kept.variants) == {"fast", "slow"}
    assert len(sample.kept.cases) == 4


def test_a_variant_that_does_not_load_is_an_error_said_once(laboratory: Make) -> None:
    broken = '[variants.broken]\nengine = "scripted"\nfail_load = "no such weights"\n'
    sample = laboratory(more=broken).measure()
    assert [error for error in sample.errors if error == "no such weights"] == ["no such weights"]


def test_unchanged_code_is_told_as_a_whole_and_so_is_its_life(laboratory: Make) -> None:
    trial = laboratory(kept=1).judge({})
    for variant in ("fast", "slow"):
        kinds = {verdict.metric: verdict.kind for verdict in life(trial, variant).verdicts}
        assert kinds["itl_s"] is kinds["ttft_s"] is VerdictKind.OK
        assert "rss_after_load_bytes" in kinds
    assert {(reach.variant, reach.metric) for reach in trial.reach} == {
        (variant, metric) for variant in ("fast", "slow") for metric in ("itl_s", "ttft_s")
    }


def test_a_planted_slowdown_is_launched_again_and_found(laboratory: Make) -> None:
    trial = laboratory(kept=3).judge({"slow": PLANTED})
    slow, fast = life(trial, "slow"), life(trial, "fast")
    assert {v.kind for v in slow.verdicts if v.metric in SPEED} == {VerdictKind.REGRESSED}
    assert VerdictKind.REGRESSED not in {verdict.kind for verdict in fast.verdicts}
    launches = {r.variant: r.launches for r in trial.reach if r.metric == "itl_s"}
    assert launches["slow"] > 1


@pytest.mark.parametrize("variant", ["fast", "slow"])
def test_what_could_be_found_is_what_the_judge_says(laboratory: Make, variant: str) -> None:
    trial = laboratory(kept=3).judge({variant: PLANTED})
    reach = {each.metric: each for each in trial.reach if each.variant == variant}
    said = {v.metric: dict(v.block) for v in life(trial, variant).verdicts if v.metric in SPEED}
    assert set(said) == set(reach) == {"itl_s", "ttft_s"}
    for metric, block in said.items():
        assert block["detectable"] == f"{format_percent(reach[metric].detectable)} and more"
        assert reach[metric].accepted >= CATALOGUE[metric].tolerance
        assert (reach[metric].sessions, reach[metric].cases) == (3, 2)
        assert reach[metric].to == {"fast": "slow", "slow": "fast"}[variant]


def test_a_variant_with_one_case_is_reached_by_that_one(laboratory: Make, project: Path) -> None:
    found = laboratory()
    one = {name: cases[:1] for name, cases in found.subject.cases.items()}
    found.subject = type(found.subject)(found.subject.config, one)
    found.keep(found.measure(), first=True)
    trial = found.judge({})
    assert {reach.cases for reach in trial.reach} == {1}
    assert len(trial.reach) == 4
    assert not [v for one in trial.record.variants for v in one.verdicts if v.metric in SPEED]


def test_without_a_baseline_nothing_could_be_found(laboratory: Make) -> None:
    assert laboratory().judge({}).reach == ()
