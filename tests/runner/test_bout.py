"""Turns: who has a round in which, in what order, and what one member's failure costs."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import msgspec
import pytest

from pytest_llmbench.errors import WorkerCrashedError
from pytest_llmbench.runner.bout import bout_of, run_bout
from pytest_llmbench.runner.sampled import Sampled
from pytest_llmbench.runner.slices import LEAST_SLICE_TOKENS, LEAST_SLICES, slice_tokens
from tests.runner.facts import Script, make_case, make_sampled


def member(name: str, rounds: int, script: Script | None = None) -> Sampled:
    return make_sampled(make_case(name, rounds=rounds, warmup=1), script)


def run(*members: Sampled, companions=(), seed: int = 0, turns=None) -> list[str]:
    """Measure *members*; return whose turn it was, in order."""
    focused: list[str] = []
    run_bout(
        members,
        companions=companions,
        focus=lambda sampled, again=False: None if again else focused.append(sampled.case.variant),
        chance=random.Random(seed),
        turns=itertools.count() if turns is None else turns,
    )
    return focused


def turns_of(sampled: Sampled) -> list[int]:
    return [entry.turn for entry in sampled.rounds]


def test_every_turn_has_everybody_once() -> None:
    members = [member(name, 5) for name in "abc"]
    focused = run(*members)
    assert [turns_of(each) for each in members] == [[0, 1, 2, 3, 4]] * 3
    for start in range(0, len(focused), 3):
        assert sorted(focused[start : start + 3]) == ["a", "b", "c"]


def test_the_order_within_a_turn_is_random_and_repeats_with_its_seed() -> None:
    def order(seed: int) -> list[str]:
        return run(*(member(name, 40) for name in "ab"), seed=seed)

    assert order(1) == order(1)
    assert order(1) != order(2)
    first = Counter(order(1)[2:-2:4])  # after warm-up, two passes a turn
    assert 8 < first["a"] < 32


def test_who_keeps_buffers_alone_is_asked_for_fresh_ones_again() -> None:
    keeping, other = member("k", 2, Script(keeps=True)), member("o", 2)
    focused = run(keeping, other)
    assert keeping.worker.reallocated == [0, 1, 2]  # before the warm-up, and each of two rounds
    assert other.worker.reallocated == [0]
    assert focused.count("k") - focused.count("o") == 2  # only who keeps any is asked again


def test_all_have_fresh_buffers_before_a_round_of_any_begins() -> None:
    members, log = [member(name, 2, Script(keeps=True)) for name in "abc"], list[str]()
    for each in members:
        reallocate, generate = each.worker.reallocate, each.worker.generate_in_slices
        each.worker.reallocate = lambda doing, do=reallocate: log.append("fresh") or do(doing)
        each.worker.generate_in_slices = lambda *told, do=generate, **more: (
            log.append("round") or do(*told, **more)
        )
    run(*members)
    assert log[3:] == ["fresh", "fresh", "fresh", "round", "round", "round"] * 2


def test_turns_are_numbered_on_over_bouts() -> None:
    turns = itertools.count()
    first, second = member("a", 2), member("a", 2)
    run(first, turns=turns)
    run(second, turns=turns)
    assert turns_of(first) + turns_of(second) == [0, 1, 2, 3]


def test_who_has_its_rounds_has_no_further_turn() -> None:
    short, *long = member("short", 2), member("long", 5), member("longer", 5)
    focused = run(short, *long)
    assert (len(short.rounds), len(long[0].rounds)) == (2, 5)
    assert focused.count("short") == 1 + 2 * 2 + 1  # warm-up, two lookups a round, the end


def test_the_reference_goes_along_for_as_long_as_anybody_does() -> None:
    reference, other = member("reference", 2), member("other", 5)
    run(reference, other, companions={"reference"})
    assert turns_of(reference) == turns_of(other) == [0, 1, 2, 3, 4]


def test_one_goes_along_with_who_would_be_alone() -> None:
    """Else some of its rounds would be cut, and others whole."""
    members = [member("reference", 5), member("other", 2), member("third", 2)]
    run(*members, companions={"reference"})
    assert [len(each.rounds) for each in members] == [5, 5, 2]
    assert [len(each.worker.slices) for each in members] == [5, 5, 2]


def test_who_failed_goes_along_with_nobody() -> None:
    fine, bad = member("fine", 3), member("bad", 9, Script(dies_at=(0, 0)))
    run(fine, bad)
    assert (len(fine.rounds), len(bad.rounds)) == (3, 0)


def test_who_dies_in_a_pause_ends_alone() -> None:
    fine, bad = member("fine", 2), member("bad", 2)

    def in_slices(*_args, **_more):
        yield
        raise WorkerCrashedError("it lost its process")

    bad.worker.generate_in_slices = in_slices
    run(fine, bad)
    assert (len(fine.rounds), len(bad.rounds)) == (2, 0)
    assert isinstance(bad.error, WorkerCrashedError)


def test_rounds_on_another_host_are_whole() -> None:
    """A pause would cost them the way there and back, and they share no processor."""
    here, far = member("here", 2), member("far", 2)
    far.worker.variant = msgspec.structs.replace(far.worker.variant, host="ssh=box")
    run(here, far)
    assert here.worker.slices == far.worker.slices == []
    here, near, far = member("here", 2), member("near", 2), member("far", 2)
    far.worker.variant = msgspec.structs.replace(far.worker.variant, host="ssh=box")
    run(here, near, far)
    assert [len(each.worker.slices) for each in (here, near, far)] == [2, 2, 0]


def test_of_a_disturbed_round_both_are_measured_again() -> None:
    reference, other = member("reference", 3), member("other", 3, Script(busy=[1]))
    run(reference, other, companions={"reference"})
    assert turns_of(reference) == turns_of(other) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "script", [Script(dies_at=(0, 1)), Script(refuses=["p"])], ids=["dies", "refuses"]
)
def test_what_one_refuses_ends_that_one_alone(script: Script) -> None:
    fine, bad = member("fine", 4), member("bad", 4, script)
    run(fine, bad, companions={"bad"})
    assert bad.error is not None
    assert fine.error is None
    assert len(fine.rounds) == 4
    assert len(bad.rounds) < 4


def test_a_reference_that_died_has_no_further_turn() -> None:
    focused = run(member("fine", 9), member("bad", 9, Script(dies_at=(0, 1))), companions={"bad"})
    assert focused.count("bad") == 1 + 2 + 1 + 1  # warm-up, a round, the one it died in, the end


def test_nobody_is_timed_unless_it_alone_runs() -> None:
    focused: list[str] = []
    members = [member(name, 3) for name in "ab"]
    asked: list[tuple[str, str]] = []
    for each in members:
        ask, in_slices, name = (
            each.worker.generate,
            each.worker.generate_in_slices,
            each.case.variant,
        )

        def generate(*args, _ask=ask, _name=name, **more):
            asked.append((_name, focused[-1]))
            return _ask(*args, **more)

        def generate_in_slices(*args, _ask=in_slices, _name=name, **more):
            slices = _ask(*args, **more)
            while True:
                asked.append((_name, focused[-1]))
                try:
                    yield next(slices)
                except StopIteration as end:
                    return end.value

        each.worker.generate, each.worker.generate_in_slices = generate, generate_in_slices
    run_bout(
        members,
        companions=(),
        focus=lambda sampled, again=False: focused.append(sampled.case.variant),
        chance=random.Random(0),
        turns=itertools.count(),
    )
    assert len(asked) == 2 * (1 + 3 * 4)  # three slices; the fake worker asks itself
    assert all(name == running for name, running in asked)


def test_the_slices_of_a_turn_alternate() -> None:
    focused: list[tuple[str, bool]] = []
    run_bout(
        [member(name, 2) for name in "abc"],
        companions=(),
        focus=lambda sampled, again=False: focused.append((sampled.case.variant, again)),
        chance=random.Random(0),
        turns=itertools.count(),
    )
    for turn in (focused[3:12], focused[12:21]):
        assert [again for _, again in turn] == [False] * 6 + [True] * 3
        names = [name for name, _ in turn]
        assert names[:3] == names[3:6] == names[6:]
        assert sorted(names[:3]) == ["a", "b", "c"]


def test_a_variant_alone_has_whole_rounds() -> None:
    alone = member("a", 3)
    run(alone)
    assert alone.worker.slices == []


@pytest.mark.parametrize(
    ("tokens_s", "tokens"),
    [([0.01], 5), ([0.001, 0.001], 50), ([0.002, 0.018], 5), ([0.01, None], 5), ([0.025], 2),
     ([1.0], 1), ([None, None], 4), ([], 4)],
)  # fmt: skip
def test_a_slice_lasts_as_long_in_the_mean(tokens_s, tokens: int) -> None:
    assert slice_tokens(tokens_s, [], 0.05) == tokens


@pytest.mark.parametrize(
    ("answers", "tokens"),
    [([61], 10), ([62], 10), ([24, 200], 4), ([None, 200], 33), ([400], 50), ([1], 4), ([], 50)],
)
def test_the_shortest_round_has_several_slices(answers, tokens: int) -> None:
    assert slice_tokens([0.001], answers, 0.05) == tokens


@pytest.mark.parametrize(("token_s", "tokens"), [(0.001, 4), (0.02, 2), (0.04, 1)])
def test_slices_of_slow_tokens_are_shorter_than_that(token_s: float, tokens: int) -> None:
    assert slice_tokens([token_s], [24], 0.05) == tokens


def test_they_are_never_fewer_than_six_unless_they_are_as_short_as_may_be() -> None:
    for answer in range(1, 400):
        tokens = slice_tokens([0.001], [answer])
        assert tokens == LEAST_SLICE_TOKENS or (answer - 1) / tokens >= LEAST_SLICES, answer


def test_all_slices_of_a_bout_are_as_long_as_warm_up_said() -> None:
    scripts = {"a": Script(gaps_ms=[5], tokens=400), "b": Script(gaps_ms=[15], tokens=241)}
    members = [member(name, 3, script) for name, script in scripts.items()]
    run(*members)
    assert [each.worker.slices for each in members] == [[25] * 3] * 2, "its tokens took 1 ms"


@pytest.mark.parametrize(
    ("devices", "tokens"),
    [(("cuda:0", "cuda:0"), 50), (("cpu", "mps"), 50), (("cpu", "server"), 25)],
)
def test_slices_are_longer_where_a_device_is_not_a_cpu(devices, tokens: int) -> None:
    scripts = [Script(tokens=400, device=device) for device in devices]
    members = [member(name, 3, script) for name, script in zip("ab", scripts, strict=True)]
    run(*members)
    assert [each.worker.slices for each in members] == [[tokens] * 3] * 2


def test_without_warm_up_they_are_of_four_tokens() -> None:
    members = [make_sampled(make_case(name, rounds=2, warmup=0)) for name in "ab"]
    run(*members)
    assert [each.worker.slices for each in members] == [[4] * 2] * 2


def test_an_interrupted_turn_leaves_no_round_half_way() -> None:
    members = [member(name, 3) for name in "ab"]
    closed: list[str] = []
    for each in members:

        def in_slices(*_args, _name=each.case.variant, **_more):
            try:
                yield
            except GeneratorExit:
                closed.append(_name)
                raise

        each.worker.generate_in_slices = in_slices

    asked = itertools.count()

    def focus(_sampled, again=False):
        if next(asked) == 2 * (1 + 1):  # after warm-up and a slice of both
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_bout(
            members, companions=(), focus=focus, chance=random.Random(0), turns=itertools.count()
        )
    assert sorted(closed) == ["a", "b"]


def test_a_bout_is_what_variants_have_in_common() -> None:
    assert bout_of(make_case("a", "p")) == bout_of(make_case("b", "p")) == "s/p-n2-t0"
    assert bout_of(make_case("a", "q")) != bout_of(make_case("a", "p"))
