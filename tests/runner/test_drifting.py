"""When drift is measured, of what, and what becomes of a session where it can't be."""

from __future__ import annotations

import msgspec
import pytest

from pytest_llmbench.domain.drift import ForcedPass, Position
from pytest_llmbench.engines import engine_entry
from pytest_llmbench.engines.registry import BUILT_IN
from pytest_llmbench.errors import CaseError, OtherTokensError, WorkerCrashedError
from pytest_llmbench.metrics.forced import reduced
from tests.metrics.test_drift import some_logits
from tests.runner.conftest import MakeBench, cases_of
from tests.runner.facts import FakeWorker, Script

BOTH = {"a": Script(), "b": Script()}
REFERENCE = {"reference": "a"}
AP, BP, AQ, BQ = cases_of("a", "b")
LOGITS = {"a": some_logits(2), "b": some_logits(2)}
DRIFT = ("kl_mean", "kl_p99", "kl_max", "top1_agreement", "delta_p_rms", "ppl_ratio")


def seen(name: str, tokens: tuple[int, ...], **more) -> ForcedPass:
    found = reduced([LOGITS[name]], tokens)
    arrays = {
        field: value.tobytes() for field, value in found._asdict().items() if field != "vocabulary"
    }
    told = {"prompt_ids": (1,), "text": "a b", "vocabulary": 40, **more}
    return ForcedPass(**told, **arrays)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let workers tell probabilities; who was asked, in order."""
    names: list[str] = []

    def force(self, _messages, _parameters, continuation, _doing, *, like=None, step=None):
        again = "" if step is None else " in other blocks"
        names.append(f"{self.variant.id}{'' if like is None else ' of the same'}{again}")
        return seen(self.variant.id, continuation)

    monkeypatch.setattr(FakeWorker, "force", force)
    return names


def test_the_reference_is_asked_first_and_the_others_of_the_same_tokens(
    make_bench: MakeBench, asked: list[str]
) -> None:
    bench, _ = make_bench([AP, BP, AQ, BQ], BOTH, plan=REFERENCE)
    bench.measure(BP)
    assert asked == ["a", "a of the same in other blocks", "b of the same"]
    assert bench.cases[BP.key].drift.to == "a"
    assert set(DRIFT) < set(bench.cases[BP.key].metrics)
    assert bench.cases[BP.key].metrics["tokens_match"].value == 1
    assert bench.cases[AP.key].drift is None
    bench.measure(BQ)
    assert len(asked) == 6


def test_a_reference_of_another_crew_is_remembered(make_bench: MakeBench, asked: list[str]) -> None:
    plan = {"reference": "a", "crews": (("a",), ("b",))}
    bench, _ = make_bench([AP, BP], BOTH, plan=plan)
    bench.measure(AP)
    bench.lives.end("a")
    assert bench.measure(BP).drift is not None
    assert asked == ["a", "a of the same in other blocks", "b of the same"]


def test_without_the_reference_s_case_there_is_none(
    make_bench: MakeBench, asked: list[str]
) -> None:
    bench, _ = make_bench([BP], BOTH, plan=REFERENCE)
    record = bench.measure(BP)
    assert (record.drift, record.no_drift, asked) == (None, None, [])
    assert "exact_match" not in record.metrics


def test_who_is_measured_before_the_reference_says_so(
    make_bench: MakeBench, asked: list[str]
) -> None:
    plan = {"reference": "a", "crews": (("b",), ("a",))}
    bench, _ = make_bench([AP, BP], BOTH, plan=plan)
    assert bench.measure(BP).no_drift == "a has no text for this prompt"
    assert asked == []


def test_a_second_look_keeps_what_was_found(make_bench: MakeBench, asked: list[str]) -> None:
    bench, _ = make_bench([AP, BP], BOTH, plan=REFERENCE)
    before = bench.measure(BP)
    after = bench.look_again(BP, fresh=True)
    assert len(after.rounds) == 2 * len(before.rounds)
    assert after.drift == before.drift
    assert all(after.metrics[name] == before.metrics[name] for name in DRIFT)
    assert len(asked) == 3
    assert list(after.metrics) == list(before.metrics), "in the catalogue's order"


def test_a_warm_case_has_none(make_bench: MakeBench, asked: list[str]) -> None:
    warm = [
        msgspec.structs.replace(
            case, parameters=msgspec.structs.replace(case.parameters, temperature=0.5)
        )
        for case in (AP, BP)
    ]
    bench, _ = make_bench(warm, BOTH, plan=REFERENCE)
    assert bench.measure(warm[1]).drift is None
    assert asked == []


def test_a_twin_s_text_is_what_a_variant_is_held_against(
    make_bench: MakeBench, asked: list[str]
) -> None:
    plan = {"twins": {"b": "a"}, "crews": (("b", "a"),)}
    bench, _ = make_bench([BP], BOTH, plan=plan)
    assert bench.measure(BP).drift.to == "a"
    assert asked == ["a", "a of the same in other blocks", "b of the same"]


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_is_refused_costs_the_drift_alone(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def force(self, _messages, _parameters, continuation, _doing, *, like=None, step=None):
        if self.variant.id == name:
            raise CaseError(f"{name} has no memory for it")
        return seen(self.variant.id, continuation)

    monkeypatch.setattr(FakeWorker, "force", force)
    bench, _ = make_bench([AP, BP], BOTH, plan=REFERENCE)
    record = bench.measure(BP)
    assert record.no_drift == f"{name} has no memory for it"
    assert record.metrics["exact_match"].value == 1
    assert "prefix_match_tokens" not in record.metrics
    assert "tokens_match" not in record.metrics
    assert record.error is None


def test_who_dies_of_it_keeps_what_was_measured(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def force(self, _messages, _parameters, continuation, _doing, *, like=None, step=None):
        if self.variant.id == "b":
            self.lost = True
            raise WorkerCrashedError("variant 'b' lost its process (SIGKILL)")
        return seen(self.variant.id, continuation)

    monkeypatch.setattr(FakeWorker, "force", force)
    bench, _ = make_bench([AP, BP, AQ, BQ], BOTH, plan=REFERENCE)
    record = bench.measure(BP)
    assert record.error is None
    assert "SIGKILL" in record.no_drift
    assert "lost its process" in bench.measure(BQ).error
    assert bench.measure(AQ).error is None


def test_other_tokens_are_a_finding(make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    def force(self, _messages, _parameters, continuation, _doing, *, like=None, step=None):
        if like is not None and self.variant.id == "b":
            raise OtherTokensError("its prompt has other tokens")
        return seen(self.variant.id, continuation)

    monkeypatch.setattr(FakeWorker, "force", force)
    bench, _ = make_bench([AP, BP], BOTH, plan=REFERENCE)
    record = bench.measure(BP)
    assert record.no_drift == "its prompt has other tokens"
    assert record.metrics["tokens_match"].value == 0
    assert "kl_mean" not in record.metrics


def test_a_reference_that_nothing_is_held_against_is_not_asked(
    make_bench: MakeBench, asked: list[str]
) -> None:
    bench, _ = make_bench([AP], BOTH, plan=REFERENCE)
    bench.measure(AP)
    assert asked == []


def test_side_by_side_the_reference_has_a_twin_too(make_bench: MakeBench, asked: list[str]) -> None:
    scripts = {name: Script() for name in ("a", "b", "a2", "b2")}
    LOGITS.update(a2=LOGITS["a"], b2=LOGITS["b"])
    twins = {"a": "a2", "b": "b2"}
    plan = {"reference": "a", "twins": twins, "crews": (("a", "a2"), ("b", "b2"))}
    bench, _ = make_bench([AP, BP], scripts, plan=plan)
    assert bench.measure(AP).drift.to == "a2"
    assert bench.measure(BP).drift.to == "b2"


def test_a_text_is_forgotten_once_nothing_waits_for_it(
    make_bench: MakeBench, asked: list[str]
) -> None:
    bench, _ = make_bench([AP, BP, AQ, BQ], BOTH, plan=REFERENCE)
    bench.measure(BP)
    bench.measure(BQ)
    assert bench._drifting._originals == {}


def test_the_key_is_of_model_and_text(make_bench: MakeBench, asked: list[str]) -> None:
    keys = []
    for reference, other in (("a", "b"), ("a", "b"), ("b", "a")):
        cases = {"a": AP, "b": BP}
        bench, _ = make_bench([AP, BP], BOTH, plan={"reference": reference})
        keys.append(bench.measure(cases[other]).original_key)
    assert keys[0] == keys[1] != keys[2]


SAID = {
    "a": (Position(logprobs={"one": -0.1, "two": -3.0}), Position(logprobs={"x": -0.2, "y": -2.0})),
    "b": (Position(logprobs={"one": -0.2, "two": -2.0}), Position(logprobs={"y": -0.2, "x": -2.0})),
}


@pytest.mark.parametrize("servers", ["a", "b", "ab"])
def test_a_server_s_most_probable_tokens_are_compared_as_far_as_both_say_the_same(
    make_bench: MakeBench, asked: list[str], monkeypatch: pytest.MonkeyPatch, servers: str
) -> None:
    def force(self, _messages, _parameters, continuation, _doing, *, like=None, step=None):
        return None if self.variant.id in servers else seen(self.variant.id, continuation)

    def top(self, _messages, _parameters, continuation, _doing):
        asked.append(f"top of {self.variant.id}")
        return SAID[self.variant.id]

    monkeypatch.setattr(FakeWorker, "force", force)
    monkeypatch.setattr(FakeWorker, "top", top, raising=False)
    bench, _ = make_bench([AP, BP], BOTH, plan=REFERENCE)
    monkeypatch.setattr(bench._drifting, "_forces", lambda case: case.variant not in servers)
    record = bench.measure(BP)
    assert asked == ["top of a", "top of b"]
    assert record.drift.truncated
    assert record.drift.agrees == (True, False)
    assert record.no_drift is None
    assert record.metrics["prefix_match_tokens"].value == 1
    assert set(DRIFT) < set(record.metrics)
    assert "tokens_match" not in record.metrics, "of a server's tokens nothing is known"


def test_a_server_that_refuses_has_its_text_compared_and_says_why(
    make_bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def top(self, *_):
        if self.variant.id == "b":
            raise CaseError("the server answered 400: no logprobs here")
        return SAID["a"]

    monkeypatch.setattr(FakeWorker, "top", top, raising=False)
    bench, _ = make_bench([AP, BP], BOTH, plan=REFERENCE)
    monkeypatch.setattr(bench._drifting, "_forces", lambda case: case.variant != "b")
    record = bench.measure(BP)
    assert record.no_drift == "the server answered 400: no logprobs here"
    assert record.metrics["exact_match"].value == 1
    assert "kl_mean" not in record.metrics


def test_which_engines_take_a_text_is_known_before(make_bench: MakeBench) -> None:
    told = {name: engine_entry(name).forces() for name in BUILT_IN}
    assert told == {
        "transformers": True,
        "llama-cpp": True,
        "mlx": True,
        "openai": False,
        "ollama": False,
        "scripted": True,
    }
