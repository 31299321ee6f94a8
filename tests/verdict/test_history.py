"""Which of a baseline's sessions can be compared with what was measured now, and what differs."""

from __future__ import annotations

import pytest

from pytest_llmbench.domain.verdict import Difference
from pytest_llmbench.verdict.history import (
    Sample,
    kept_case,
    kept_life,
    likely_causes,
    machine_differences,
    same_machine,
    same_work,
    work_differences,
)

from .facts import (
    KEY,
    make_baseline,
    make_case,
    make_environment,
    make_facts,
    make_session,
    session_of,
)

HERE = make_environment()


def make_sample(**changed):
    facts = make_facts()
    fields = {
        "environment": HERE,
        "workload": make_case().workload,
        "identity": facts.identity,
        "settings": facts.settings,
        "metrics": {},
    }
    return Sample(**{**fields, **changed})


NOW = make_sample()


def case_values(*sessions):
    return [sample.metrics["itl_s"] for sample in kept_case(make_baseline(*sessions), KEY)]


@pytest.mark.parametrize("baseline", [None, make_baseline()])
def test_without_sessions_there_is_nothing(baseline):
    assert kept_case(baseline, KEY) == ()
    assert kept_life(baseline, "base") == ()


def test_every_session_that_has_the_case_oldest_first():
    sessions = (make_session(itl_s=1.0), make_session(key="tasks/other"), make_session(itl_s=3.0))
    assert case_values(*sessions) == [1.0, 3.0]


def test_a_case_comes_with_all_that_it_depends_on():
    place = make_environment(cpu="EPYC")
    facts = make_facts(weights="old", threads="4")
    (sample,) = kept_case(make_baseline(make_session(environment=place, facts=facts)), KEY)
    assert sample == make_sample(
        environment=place, identity=facts.identity, settings=facts.settings
    )


def test_a_case_whose_variant_was_not_kept_has_no_identity():
    session = make_session(itl_s=1.0)
    orphan = session_of({}, facts={})
    orphan.cases.update(session.cases)
    (sample,) = kept_case(make_baseline(orphan), KEY)
    assert (sample.identity, sample.settings) == ({}, {})


def test_every_life_of_the_variant():
    sessions = (make_session(life={"load_s": 1.0}), session_of({}, facts={"other": make_facts()}))
    (sample,) = kept_life(make_baseline(*sessions), "base")
    assert (sample.metrics, sample.workload) == ({"load_s": 1.0}, {})


def test_the_same_work_is_the_same_question_to_the_same_model():
    question = make_sample(workload=make_case(prompt="3?").workload)
    model = make_sample(identity=make_facts(weights="old").identity)
    machine = make_sample(environment=make_environment(cpu="EPYC"))
    assert same_work((NOW, question, model, machine), NOW) == (NOW, machine)
    assert same_machine((NOW, question, model, machine), NOW) == (NOW, question, model)


def test_what_makes_them_incomparable():
    model = make_sample(identity=make_facts(weights="old").identity)
    assert work_differences(model, NOW) == (Difference(field="weights", then="old", now="abc"),)
    machine = make_sample(environment=make_environment(cpu="EPYC"))
    assert machine_differences(machine, NOW) == (Difference(field="cpu", then="EPYC", now="Xeon"),)


def test_likely_causes_are_machine_context_and_settings():
    then = make_sample(
        environment=make_environment(cpu="EPYC", driver="1"),
        settings=make_facts(torch="2.11").settings,
    )
    assert [cause.field for cause in likely_causes(then, NOW)] == ["cpu", "driver", "torch"]
    assert likely_causes(NOW, NOW) == ()
