"""What is measured together: crews, bouts, counterparts and twins."""

from __future__ import annotations

import msgspec

from pytest_llmbench.domain.case import Case
from pytest_llmbench.runner.plan import Plan
from tests.runner.conftest import cases_of
from tests.runner.facts import make_case, make_plan

ABC = cases_of("a", "b", "c")


def plan(*, crews=(("a", "b", "c"),), reference: str | None = "a", cases=ABC, **more) -> Plan:
    made = make_plan("a", "b", "c", reference=reference, crews=crews, **more)
    made.select(cases)
    return made


def names(cases: tuple[Case, ...]) -> list[str]:
    return [f"{case.variant}-{case.prompt.id}" for case in cases]


def test_who_is_in_no_crew_has_one_to_itself() -> None:
    apart = plan(crews=(("b", "c"),))
    assert apart.crew("b") == apart.crew("c") == 0
    assert apart.crew("a") == 1
    assert apart.members(0) == ("b", "c")
    assert apart.members(1) == ("a",)


def test_a_case_is_measured_with_those_of_its_prompt() -> None:
    assert names(plan().together(make_case("b", "q"), ())) == ["b-q", "a-q", "c-q"]


def test_less_what_is_done() -> None:
    done = {make_case("a", "q").key: None}
    assert names(plan().together(make_case("b", "q"), done)) == ["b-q", "c-q"]


def test_nothing_that_was_not_selected_is_measured() -> None:
    some = plan(cases=[make_case("b", "q"), make_case("c", "p")])
    assert names(some.together(make_case("b", "q"), ())) == ["b-q"]
    assert some.counterpart(make_case("b", "q")) is None
    assert [names(bout) for bout in some.bouts(0)] == [["b-q"], ["c-p"]]


def test_nothing_of_another_crew_is_measured_with_it() -> None:
    apart = plan(crews=(("a", "b"), ("c",)))
    assert names(apart.together(make_case("c", "q"), ())) == ["c-q"]
    assert [names(bout) for bout in apart.bouts(0)] == [["a-p", "b-p"], ["a-q", "b-q"]]
    assert [names(bout) for bout in apart.bouts(1)] == [["c-p"], ["c-q"]]


def test_other_parameters_are_another_bout() -> None:
    longer = msgspec.structs.replace(
        make_case("b"),
        parameters=msgspec.structs.replace(make_case().parameters, max_new_tokens=9),
    )
    assert names(plan(cases=[*ABC, longer]).together(longer, ())) == ["b-p"]


def test_the_counterpart_is_the_reference_s_case() -> None:
    assert plan().counterpart(make_case("b", "q")) == make_case("a", "q")
    assert plan().counterpart(make_case("a", "q")) is None
    assert plan(reference=None).counterpart(make_case("b", "q")) is None


def test_who_is_not_loaded_with_the_reference_has_no_counterpart() -> None:
    apart = plan(crews=(("a", "b"), ("c",)))
    assert apart.counterpart(make_case("b")) is not None
    assert apart.counterpart(make_case("c")) is None


def test_one_after_the_other_is_about_what_is_measured() -> None:
    crews = (("a", "b"), ("c",))
    assert plan(crews=crews).one_after_the_other
    assert not plan(crews=crews, cases=cases_of("a", "b")).one_after_the_other
    assert not plan().one_after_the_other
    assert not plan(cases=()).one_after_the_other


def test_a_twin_goes_with_its_variant_and_is_its_counterpart() -> None:
    twins = plan(twins={"b": "c"}, crews=(("b", "c"),), cases=cases_of("b"))
    assert names(twins.together(make_case("b", "q"), ())) == ["b-q", "c-q"]
    assert [names(bout) for bout in twins.bouts(0)] == [["b-p", "c-p"], ["b-q", "c-q"]]
    assert twins.counterpart(make_case("b", "q")) == make_case("c", "q")
    assert twins.counterpart(make_case("c", "q")) is None


def test_who_others_are_held_against_goes_along() -> None:
    assert plan().companions == {"a"}
    assert plan(reference=None).companions == frozenset()
    assert plan(reference=None, twins={"b": "c"}).companions == {"c"}
