"""How variants live: loaded once, remembered whole, and buried by name."""

from __future__ import annotations

import pytest

from pytest_llmbench.errors import (
    EngineNotInstalledError,
    LlmbenchError,
    LoadError,
    WorkerCrashedError,
)
from pytest_llmbench.runner.lives import Live, Lives
from tests.runner.conftest import MakeLives
from tests.runner.facts import Script


def test_a_variant_is_loaded_when_it_is_first_needed_and_once(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script(), b=Script())
    assert pool.log == []
    first = lives.ready("a")
    assert lives.ready("a") is first
    assert pool.log == ["open a"]
    assert lives.records["a"].life_cycle["load_s"].value == 1.0
    assert lives.records["a"].life_cycle["start_s"].value == 0.1
    assert "b" not in lives.records


def test_its_end_completes_its_record(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script())
    lives.ready("a")
    record = lives.end("a")
    assert record is lives.records["a"]
    assert record.life_cycle["free_s"].value == 0.25
    assert pool.log == ["open a", "end a"]
    assert lives.end("a") == record


def test_what_never_began_has_no_end(make_lives: MakeLives) -> None:
    lives, _ = make_lives(a=Script())
    assert lives.end("a") is None


def test_a_whole_life_is_lived_where_nothing_needed_it(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script())
    assert "free_s" in lives.whole("a").life_cycle
    assert pool.log == ["open a", "end a"]


def test_a_load_that_failed_is_not_tried_again(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script(no_load=range(9)))
    with pytest.raises(LoadError, match="launch 0 found no memory"):
        lives.ready("a")
    with pytest.raises(LlmbenchError, match="not run, because earlier launch 0 found no memory"):
        lives.ready("a")
    assert pool.log == ["open a", "end a"]
    assert lives.whole("a").error == "launch 0 found no memory"


@pytest.mark.parametrize("strict", [False, True])
def test_an_engine_that_is_not_there_is_skipped_or_an_error(
    make_lives: MakeLives, strict: bool
) -> None:
    lives, _ = make_lives(a=Script(absent=True), strict=strict)
    assert lives.absent("a") is None
    for _ in range(2):
        with pytest.raises(EngineNotInstalledError, match="pip install it"):
            lives.ready("a")
    assert lives.absent("a") is not None
    record = lives.records["a"]
    assert (record.error is not None, record.skipped is not None) == (strict, not strict)
    with pytest.raises(EngineNotInstalledError):
        lives.whole("a")


def relaunched(lives: Lives, name: str) -> Live:
    lives.end(name)
    return lives.ready(name)


def test_a_fresh_launch_is_another_process_and_is_counted(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script())
    assert lives.ready("a").launch == 0
    assert relaunched(lives, "a").launch == 1
    assert relaunched(lives, "a").launch == 2
    assert lives.ready("a").worker is pool.workers["a"][2]
    assert pool.log == ["open a", "end a", "open a", "end a", "open a"]


def test_of_several_launches_the_first_is_the_life(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script(no_free=[1]))
    lives.ready("a")
    before = relaunched(lives, "a")
    whole = lives.records["a"]
    assert "free_s" in whole.life_cycle, "the first process was freed in order"
    pool.workers["a"][1].warnings = ("of the second",)
    assert before.launch == 1
    assert lives.end("a").life_cycle == whole.life_cycle
    assert lives.records["a"].warnings == ()
    assert lives.records["a"].error == "it can't be freed", "what went wrong is said all the same"


def test_a_fresh_launch_that_fails_keeps_what_is_known(make_lives: MakeLives) -> None:
    lives, _ = make_lives(a=Script(no_load=[1]))
    lives.ready("a")
    with pytest.raises(LoadError):
        relaunched(lives, "a")
    record = lives.records["a"]
    assert record.error == "launch 1 found no memory"
    assert record.facts is not None
    assert "load_s" in record.life_cycle
    with pytest.raises(LlmbenchError, match="not run, because earlier"):
        lives.ready("a")


def test_a_variant_that_ended_begins_anew_and_keeps_its_first_life(make_lives: MakeLives) -> None:
    lives, _ = make_lives(a=Script())
    lives.ready("a")
    first = lives.end("a")
    assert lives.ready("a").launch == 1
    assert lives.records["a"] == first


def test_who_was_lost_is_buried_with_its_own_words(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script(), b=Script(), c=Script())
    for name in "abc":
        lives.ready(name)
    pool.workers["a"][0].lost = pool.workers["b"][0].lost = True
    lives.bury("a", WorkerCrashedError("a was killed"))
    lives.bury("b", WorkerCrashedError("b was killed"))
    lives.bury("c", WorkerCrashedError("it lives"))
    assert lives.records["a"].error == "a was killed"
    assert lives.records["b"].error == "b was killed"
    assert lives.records["c"].error is None
    assert lives.ready("c").worker is pool.workers["c"][0]
    with pytest.raises(LlmbenchError, match="not run, because earlier b was killed"):
        lives.ready("b")


def test_who_was_interrupted_is_buried(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script(), b=Script())
    lives.ready("a")
    lives.ready("b")
    pool.workers["a"][0].lost = True
    with pytest.raises(KeyboardInterrupt), lives.watching():
        raise KeyboardInterrupt
    assert lives.records["a"].error == "interrupted by KeyboardInterrupt()"
    assert lives.records["b"].error is None


def test_closing_ends_all_and_keeps_the_records(make_lives: MakeLives) -> None:
    lives, pool = make_lives(a=Script(), b=Script())
    lives.ready("a")
    lives.close()
    assert pool.log[-1] == "close"
    assert set(lives.records) == {"a"}
    assert lives.records["a"].error is None


def test_secrets_stay_out_of_the_records(make_lives: MakeLives) -> None:
    lives, _ = make_lives(a=Script())
    lives._variants["a"].options.update(api_key="sk-123", threads=None, headers={})
    lives.ready("a")
    assert "sk-123" not in str(lives.records["a"].config)
    assert set(lives.records["a"].config) <= {"engine", "api_key"}
