"""A slow minute passes, slow code stays: what looks slower is launched again before it fails."""

from __future__ import annotations

import msgspec
import pytest

from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.record import CaseRecord, Environment, VariantRecord
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.runner import confirm as confirm_module
from pytest_llmbench.runner.confirm import (
    CERTAIN,
    ENOUGH,
    HOPELESS,
    LAUNCHES,
    LAUNCHES_OF_VARIANT,
    LEAST_BUDGET_S,
    MOST_CASES,
    TIMES_THE_REST,
    Confirming,
    is_certain,
    is_slow,
    is_suspected,
)
from pytest_llmbench.runner.progress import Quiet
from pytest_llmbench.verdict.alarms import SUSPICIOUS, Alarms
from pytest_llmbench.verdict.context import Context
from tests.runner.facts import make_case

ALARMS = Alarms(cases=10, variants=2)
HERE = Environment(identity={}, context={})
CASE = make_case()


def said(p: float | None, kind: VerdictKind | None = None, metric: str = "itl_s") -> Verdict:
    """A verdict with this evidence; regressed where that is enough for one case."""
    if kind is None:
        slow = p is not None and p <= ALARMS.of_case
        kind = VerdictKind.REGRESSED if slow else VerdictKind.OK
    return Verdict(metric=metric, kind=kind, sentence=f"{metric} {p}", p=p)


def by_machine(p: float, kind: VerdictKind) -> Verdict:
    """A verdict on what the machine explains."""
    return msgspec.structs.replace(said(p, kind), machine_slowed=True)


SLOW = said(ALARMS.of_case * CERTAIN * 2)
SURE = said(ALARMS.of_case * CERTAIN / 2)
FINE = said(0.5)
DOUBTFUL = said(SUSPICIOUS * 0.9)
SUSPECTED = said(ALARMS.suspected_case * 0.9)
WORSE = said(None, VerdictKind.REGRESSED, "score")
ERROR = Verdict(metric="", kind=VerdictKind.ERROR, sentence="it died")


class Bench:
    """Counts; *looks* is what it looked at again, and whether in a fresh process.

    It can look *lasts* times, then its variants are lost.
    """

    def __init__(self) -> None:
        self.cases: dict[str, CaseRecord] = {}
        self.looks: list[tuple[str, bool]] = []
        self.beside: list[str | None] = []
        self.lasts = 1000

    def measure(self, case: Case) -> CaseRecord:
        return self.cases.setdefault(case.key, self._record(case, 1))

    def look_again(
        self, case: Case, *, fresh: bool, beside: Case | None = None, keep: bool = False
    ) -> CaseRecord:
        self.looks.append((case.key, fresh))
        self.beside.append(beside and beside.variant)
        if keep and len(self.looks) > self.lasts:
            return self.cases[case.key]
        self.cases[case.key] = self._record(case, int(self.cases[case.key].text or 0) + 1)
        return self.cases[case.key]

    def _record(self, case: Case, times: int) -> CaseRecord:
        return CaseRecord(
            case=case,
            rounds=(),
            memory=None,
            metrics={},
            text=str(times),
            finish_reason=None,
            error=None,
        )


class Judged:
    """Says what it was told to, in turn; the last thing stays."""

    def __init__(self, *told: tuple[Verdict, ...]) -> None:
        self._told = list(told)
        self.context = Context(environment=HERE, alarms=ALARMS)
        self.kept: dict[str, tuple[Verdict, ...]] = {}

    def look(self, _record: CaseRecord, *_gates: object) -> tuple[Verdict, ...]:
        return self._told.pop(0) if len(self._told) > 1 else self._told[0]

    variant = life = look

    def keep(self, key: str, verdicts: tuple[Verdict, ...]) -> None:
        self.kept[key] = verdicts

    keep_life = keep


def confirming(*told: tuple[Verdict, ...], **more) -> tuple[Confirming, Bench, Judged]:
    bench, judged = Bench(), Judged(*told)
    return Confirming(bench, judged, Quiet(), **more), bench, judged  # type: ignore[arg-type]


def confirmed(*told: tuple[Verdict, ...], **more) -> tuple[int, tuple[Verdict, ...]]:
    """Measure one case; return in how many fresh launches it was seen again, and what stands."""
    confirm, bench, judged = confirming(*told, **more)
    record, verdicts = confirm.case(CASE)
    assert judged.kept == {CASE.key: verdicts}
    assert bench.cases[CASE.key] is record
    assert all(fresh for _, fresh in bench.looks)
    return len(bench.looks), verdicts


def confirmation(verdict: Verdict) -> str | None:
    return dict(verdict.block).get("confirmed")


@pytest.mark.parametrize("verdict", [FINE, WORSE, ERROR, DOUBTFUL])
def test_what_is_not_about_to_fail_for_its_times_is_measured_once(verdict: Verdict) -> None:
    assert confirmed((verdict,)) == (0, (verdict,))


def test_slow_code_stays_through_every_launch_and_says_so() -> None:
    launches, verdicts = confirmed((SLOW, FINE))
    assert launches == LAUNCHES
    assert confirmation(verdicts[0]) == "measured again in 3 fresh launches"
    assert verdicts[1] == FINE


def test_what_more_launches_could_hardly_change_is_confirmed_by_one() -> None:
    launches, verdicts = confirmed((SURE, FINE))
    assert launches == 1
    assert confirmation(verdicts[0]) == "measured again in 1 fresh launch"
    assert confirmed((SURE, SUSPECTED))[0] == LAUNCHES, "one metric is, another is not"


def test_a_slow_minute_passes() -> None:
    assert confirmed((SLOW,), (FINE,)) == (1, (FINE,))
    assert confirmed((SLOW,), (SLOW,), (FINE,)) == (2, (FINE,))


def test_what_is_still_doubtful_is_launched_again() -> None:
    assert confirmed((SLOW,), (DOUBTFUL,), (DOUBTFUL,), (FINE,))[0] == 3


def test_evidence_that_almost_suffices_is_looked_at_too() -> None:
    launches, verdicts = confirmed((SUSPECTED,), (SLOW,))
    assert launches == LAUNCHES
    assert confirmation(verdicts[0]) is not None


@pytest.mark.parametrize(("factor", "launches"), [(0.99, 1), (1.01, 0)])
def test_both_sides_of_a_suspicion(factor: float, launches: int) -> None:
    assert confirmed((said(ALARMS.suspected_case * factor),), (FINE,))[0] == launches


def test_confirming_can_be_turned_off() -> None:
    assert confirmed((SLOW,), launches=0) == (0, (SLOW,))
    assert confirmed((SLOW,), launches=1)[0] == 1


def test_what_repeats_needs_no_confirmation_beside_what_does_not() -> None:
    _, verdicts = confirmed((SLOW, WORSE))
    assert confirmation(verdicts[0]) is not None
    assert verdicts[1] == WORSE


def test_who_dies_when_measured_again_has_an_error() -> None:
    assert confirmed((SLOW,), (ERROR,)) == (1, (ERROR,))


def test_once_a_variant_is_known_to_be_slow_its_process_stays() -> None:
    confirm, bench, judged = confirming((SLOW,))
    for number in range(ENOUGH + 3):
        confirm.case(make_case(prompt=str(number)))
    fresh = [how for _, how in bench.looks]
    assert fresh == [True] * LAUNCHES * ENOUGH + [False] * 3
    last = judged.kept[make_case(prompt=str(ENOUGH)).key]
    assert confirmation(last[0]) == "measured again once more"


def test_other_variants_are_not_known_by_it() -> None:
    confirm, bench, _ = confirming((SLOW,))
    for number in range(ENOUGH):
        confirm.case(make_case(prompt=str(number)))
    confirm.case(make_case("other"))
    assert bench.looks[-1] == (make_case("other").key, True)


class Clock:
    """Looking again takes *look_s* each time; what else goes on is told."""

    def __init__(self, bench: Bench, look_s: float) -> None:
        self._bench = bench
        self._look_s = look_s
        self.measuring_s = 0.0

    def __call__(self) -> float:
        return self.measuring_s + self._look_s * len(self._bench.looks)


def slow_confirming(look_s: float) -> tuple[Confirming, Bench, Judged, Clock]:
    bench, judged = Bench(), Judged((SLOW,))
    clock = Clock(bench, look_s)
    confirm = Confirming(bench, judged, Quiet(), clock=clock)  # type: ignore[arg-type]
    return confirm, bench, judged, clock


def test_after_the_budget_nothing_is_launched_any_more() -> None:
    confirm, bench, judged, _ = slow_confirming(LEAST_BUDGET_S / 2)
    confirm.case(CASE)
    assert len(bench.looks) == 2, "each look takes half of it"
    confirm.case(make_case(prompt="late"))
    assert len(bench.looks) == 2
    assert judged.kept[make_case(prompt="late").key] == (SLOW,), "judged on what there is"
    assert confirm.variant("v") == (SLOW,)


def test_a_long_session_is_confirmed_twice_as_long_as_all_the_rest_took() -> None:
    confirm, bench, _, clock = slow_confirming(LEAST_BUDGET_S)
    clock.measuring_s = LEAST_BUDGET_S * 2 / TIMES_THE_REST
    confirm.case(CASE)
    assert len(bench.looks) == 2
    clock.measuring_s = LEAST_BUDGET_S * 3 / TIMES_THE_REST
    confirm.case(make_case(prompt="late"))
    assert len(bench.looks) == 3


def test_what_the_budget_left_unconfirmed_does_not_count_as_confirmed() -> None:
    confirm, bench, _, clock = slow_confirming(LEAST_BUDGET_S)
    for number in range(1 + ENOUGH):
        confirm.case(make_case(prompt=str(number)))
    assert len(bench.looks) == 1, "the budget is spent with the first"
    clock.measuring_s = LEAST_BUDGET_S * 9
    confirm.case(make_case(prompt="later"))
    assert bench.looks[1] == (make_case(prompt="later").key, True), "in a fresh process"


def whole(*told: tuple[Verdict, ...], cases: int = 3, **more):
    """Judge a variant as a whole; return its verdicts and the bench."""
    confirm, bench, judged = confirming(*told, **more)
    for number in range(cases):
        bench.measure(make_case(prompt=f"p{number:02}"))
    bench.measure(make_case("other"))
    verdicts = confirm.variant("v")
    assert judged.kept == {"v": verdicts}
    return verdicts, bench


def test_a_variant_as_a_whole_is_confirmed_over_its_cases() -> None:
    slow = said(ALARMS.of_variant * CERTAIN * 2, VerdictKind.REGRESSED)
    verdicts, bench = whole((slow,))
    assert len(bench.looks) == LAUNCHES_OF_VARIANT * 3
    assert [fresh for _, fresh in bench.looks] == [True, False, False] * LAUNCHES_OF_VARIANT
    assert {key for key, _ in bench.looks} == {f"s/v-p0{n}-n2-t0" for n in range(3)}
    assert confirmation(verdicts[0]) == "measured again in 6 fresh launches"


def reference_beside(*prompts: str, failed: str = "") -> tuple[Confirming, Bench]:
    """A suspected reference ``v`` of three prompts; ``other`` takes turns with it in *prompts*."""
    confirm, bench, judged = confirming((DOUBTFUL,), (FINE,))
    cases = [
        *(make_case("v", prompt=prompt) for prompt in "pqr"),
        *(make_case("other", prompt=prompt) for prompt in prompts),
    ]
    for case in cases:
        error = "it died" if case.prompt.id == failed and case.variant == "other" else None
        bench.cases[case.key] = msgspec.structs.replace(bench.measure(case), error=error)
    judged.context = Context(environment=HERE, alarms=ALARMS, reference="v")
    return confirm, bench


@pytest.fixture
def companion(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The metrics that a companion of the reference was asked for; it is ``other``."""
    asked: list[str] = []

    def first(metric: Metric, _context: Context) -> str:
        asked.append(metric.name)
        return "other"

    monkeypatch.setattr(confirm_module, "companion", first)
    return asked


@pytest.mark.usefixtures("companion")
def test_a_reference_goes_with_the_variant_whose_ratio_tells_of_it() -> None:
    confirm, bench = reference_beside("p", "q", "r")
    assert confirm.variant("v") == (FINE,)
    assert [key for key, _ in bench.looks] == [make_case("v", prompt=p).key for p in "pqr"]
    assert bench.beside == ["other"] * 3


@pytest.mark.usefixtures("companion")
def test_its_own_prompts_are_looked_at_too_after_those_that_launch_both() -> None:
    confirm, bench = reference_beside("r")
    confirm.variant("v")
    assert bench.looks == [(make_case("v", prompt=prompt).key, prompt == "r") for prompt in "rpq"]
    assert bench.beside == ["other", None, None]


@pytest.mark.usefixtures("companion")
def test_what_failed_is_not_measured_again_beside_it() -> None:
    confirm, bench = reference_beside("p", "q", failed="p")
    confirm.variant("v")
    assert bench.beside == ["other", None, None]
    assert bench.looks[0] == (make_case("v", prompt="q").key, True)


def test_the_companion_is_that_of_the_suspected_metric(companion: list[str]) -> None:
    told = (said(0.5, metric="ttft_s"), DOUBTFUL, WORSE)
    confirm, bench, judged = confirming(told, (FINE,))
    judged.context = Context(environment=HERE, alarms=ALARMS, reference="v")
    bench.measure(CASE)
    confirm.variant("v")
    assert companion == ["itl_s"]


def test_other_variants_and_single_cases_have_none(companion: list[str]) -> None:
    confirm, bench, judged = confirming((SLOW,))
    judged.context = Context(environment=HERE, alarms=ALARMS, reference="v")
    confirm.case(CASE)
    judged.context = Context(environment=HERE, alarms=ALARMS, reference="other")
    confirm.variant("v")
    assert companion == []
    assert set(bench.beside) == {None}


def test_where_a_variant_is_lost_it_is_judged_on_what_there_is() -> None:
    slow = said(ALARMS.of_variant * CERTAIN * 2, VerdictKind.REGRESSED)
    confirm, bench, judged = confirming((slow,))
    for number in range(3):
        bench.measure(make_case(prompt=f"p{number}"))
    bench.lasts = 4
    verdicts = confirm.variant("v")
    assert len(bench.looks) == 5, "one launch whole, and one case of the next"
    assert confirmation(verdicts[0]) == "measured again in 1 fresh launch"
    assert judged.kept == {"v": verdicts}


def test_a_variant_that_is_as_it_was_is_not_launched_again() -> None:
    verdicts, bench = whole((FINE,))
    assert verdicts == (FINE,)
    assert bench.looks == []


def test_of_many_cases_some_are_enough() -> None:
    bench = whole((SLOW,), cases=60)[1]
    keys = {key for key, _ in bench.looks}
    assert len(keys) == 20 <= MOST_CASES
    assert keys == {f"s/v-p{n:02}-n2-t0" for n in range(0, 60, 3)}


def test_a_suspicion_without_a_verdict_is_followed_up() -> None:
    assert len(whole((DOUBTFUL,), (FINE,))[1].looks) == 3


def test_evidence_has_to_grow_and_is_dropped_where_it_does_not() -> None:
    weak = said(HOPELESS * 1.01)
    assert len(whole((DOUBTFUL,), (weak,))[1].looks) == 3
    growing = said(HOPELESS * 0.99)
    assert (
        len(whole((DOUBTFUL,), *((growing,),) * LAUNCHES_OF_VARIANT)[1].looks)
        == 3 * LAUNCHES_OF_VARIANT
    )


@pytest.mark.parametrize(("factor", "launches"), [(0.99, 1), (1.01, LAUNCHES_OF_VARIANT)])
def test_a_variant_that_is_slow_beyond_doubt_is_launched_once(factor: float, launches: int) -> None:
    sure = said(ALARMS.of_variant * CERTAIN * factor, VerdictKind.REGRESSED)
    assert len(whole((sure,))[1].looks) == 3 * launches


def test_what_is_certain() -> None:
    assert is_certain([SURE, WORSE, ERROR, said(HOPELESS * 1.01)], ALARMS.of_case)
    assert not is_certain([SURE, said(HOPELESS * 0.99)], ALARMS.of_case)
    assert not is_certain([SLOW], ALARMS.of_case)
    limit = said(None, VerdictKind.REGRESSED)
    assert not is_certain([SURE, limit], ALARMS.of_case)


def test_what_the_machine_explains_is_not_launched_again() -> None:
    for kind in (VerdictKind.INCONCLUSIVE, VerdictKind.OK):
        explained = by_machine(SLOW.p or 0.0, kind)
        assert confirmed((explained,)) == (0, (explained,))
        assert confirming((explained,))[0].variant("v") == (explained,)
        assert is_certain([SURE, explained], ALARMS.of_case)
    launches, verdicts = confirmed((by_machine(1e-9, VerdictKind.INCONCLUSIVE), SURE))
    assert launches == 1, "another time is not the machine's"
    assert [confirmation(verdict) for verdict in verdicts] == [
        None,
        "measured again in 1 fresh launch",
    ]


def test_a_limit_that_is_broken_is_confirmed_by_every_launch() -> None:
    assert confirmed((said(None, VerdictKind.REGRESSED),))[0] == LAUNCHES


def test_a_variant_is_judged_once() -> None:
    confirm, _, judged = confirming((WORSE,))
    assert confirm.variant("v") == (WORSE,)
    judged.kept.clear()
    assert confirm.variant("v") == ()
    assert judged.kept == {}


def test_a_life_is_judged_on_what_it_was() -> None:
    confirm, bench, judged = confirming((WORSE,))
    record = VariantRecord(id="v", config={}, facts=None, life_cycle={}, warnings=(), error=None)
    assert confirm.life(record) == (WORSE,)
    assert judged.kept == {"v": (WORSE,)}
    assert bench.looks == []


@pytest.mark.parametrize(
    ("verdict", "slow"),
    [(SLOW, True), (WORSE, False), (FINE, False), (ERROR, False), (SUSPECTED, False)],
)
def test_only_times_that_regressed_are_slow(verdict: Verdict, slow: bool) -> None:
    assert is_slow([verdict]) is slow


@pytest.mark.parametrize(
    ("verdict", "suspected"),
    [
        (said(0.01), True),
        (said(0.02), False),
        (said(None, VerdictKind.REGRESSED), True),  # a limit that is broken
        (said(0.001, VerdictKind.INCONCLUSIVE), True),
        (said(0.001, metric="score"), False),
        (by_machine(0.001, VerdictKind.INCONCLUSIVE), False),
        (ERROR, False),
    ],
)
def test_what_is_suspected_from_one_in_a_hundred_on(verdict: Verdict, suspected: bool) -> None:
    assert is_suspected([FINE, verdict], 0.01) is suspected
