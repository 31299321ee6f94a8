"""A slow minute passes, slow code stays."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.record import CaseRecord
from pytest_llmbench.domain.verdict import Verdict, VerdictKind
from pytest_llmbench.runner.confirm import Confirming, is_slow
from pytest_llmbench.runner.progress import Quiet
from tests.runner.test_rounds import CASE

SLOW = Verdict(metric="itl_s", kind=VerdictKind.REGRESSED, sentence="itl_s rose")
FINE = Verdict(metric="itl_s", kind=VerdictKind.OK, sentence="itl_s is fine")
WORSE = Verdict(metric="score", kind=VerdictKind.REGRESSED, sentence="score fell")


class Bench:
    """Measures by counting; what is measured is its number."""

    def __init__(self) -> None:
        self.cases: dict[str, CaseRecord] = {}
        self.variants: dict[str, object] = {}
        self.times = 0

    def measure(self, case):
        return self.cases.get(case.key) or self.measure_again(case)

    def measure_again(self, case):
        self.times += 1
        self.cases[case.key] = CaseRecord(
            case=case, rounds=(), memory=None, metrics={}, text=str(self.times),
            finish_reason=None, error=None,
        )  # fmt: skip
        return self.cases[case.key]


class Judged:
    """Says what it was told to, in turn."""

    def __init__(self, *told: tuple[Verdict, ...]) -> None:
        self._told = list(told)
        self.kept: dict[str, tuple[Verdict, ...]] = {}

    def look(self, _record, _life, *_gates):
        return self._told.pop(0)

    def keep(self, key, verdicts):
        self.kept[key] = verdicts


def confirmed(*told):
    bench, judged, slept = Bench(), Judged(*told), []
    confirming = Confirming(bench, judged, Quiet(), pauses_s=(1.0, 4.0), sleep=slept.append)
    record, verdicts = confirming.case(CASE)
    assert judged.kept == {CASE.key: verdicts}
    assert bench.cases[CASE.key] is record
    return record.text, verdicts, slept


def test_what_is_fine_is_measured_once() -> None:
    assert confirmed((FINE,)) == ("1", (FINE,), [])


def test_a_slow_minute_passes() -> None:
    assert confirmed((SLOW,), (SLOW,), (FINE,)) == ("3", (FINE,), [1.0, 4.0])


def test_slow_code_stays_and_the_first_evidence_stands() -> None:
    text, verdicts, slept = confirmed((SLOW, FINE), (SLOW,), (SLOW,))
    assert text == "1"
    assert slept == [1.0, 4.0]
    assert verdicts[0].block[-1] == ("confirmed", "measured again 2 times, and worse every time")
    assert verdicts[1] == FINE


def test_what_repeats_needs_no_confirmation() -> None:
    assert confirmed((WORSE,)) == ("1", (WORSE,), [])


def test_once_a_variant_is_known_to_be_slower_nothing_waits() -> None:
    bench, slept = Bench(), []
    judged = Judged(*[(SLOW,)] * 30)
    confirming = Confirming(bench, judged, Quiet(), pauses_s=(1.0, 4.0), sleep=slept.append)
    for _ in range(5):
        confirming.case(CASE)
    assert len(slept) == 2 * 3
    assert bench.times == 1 + 2 * 5


@pytest.mark.parametrize(
    ("verdict", "slow"),
    [
        (SLOW, True),
        (WORSE, False),
        (FINE, False),
        (Verdict(metric="", kind=VerdictKind.ERROR, sentence="died"), False),
    ],
)
def test_only_times_that_regressed_are_slow(verdict: Verdict, slow: bool) -> None:
    assert is_slow([verdict]) is slow
