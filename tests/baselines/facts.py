"""Small baselines and records."""

from __future__ import annotations

import math

from pytest_llmbench.baselines.format import SCHEMA_VERSION
from pytest_llmbench.domain.baseline import (
    Baseline,
    BaselineCase,
    BaselineSession,
    BaselineVariant,
)
from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.record import (
    CaseRecord,
    Environment,
    Measured,
    ModelFacts,
    Readings,
    Relative,
    VariantRecord,
)
from pytest_llmbench.domain.suite import Message, Prompt, Sampling

ENVIRONMENT = Environment(identity={"processor": "Xéon"}, context={"python": "3.11"})


READINGS = Readings(pace_s=0.001, calibration_s=0.123456789)


def make_session(saved_at="2026-01-01T00:00:00Z", *, itl_s=0.00305, itl_ratio=1 / 3):
    return BaselineSession(
        saved_at=saved_at,
        environment=ENVIRONMENT,
        variants={
            "base": BaselineVariant(
                identity={"weights": "abc"},
                settings={"device": "cpu"},
                metrics={"model_bytes": 8123456789.0, "rss_after_load_bytes": 9123456789.0},
            )
        },
        cases={
            "tasks/base-sum-n8-t0": BaselineCase(
                variant="base",
                workload={"prompt": "p1"},
                metrics={"itl_s": itl_s, "score": 1.0},
                relative={"itl_s": itl_ratio},
            ),
            "tasks/base-capital-n8-t0": BaselineCase(
                variant="base", workload={"prompt": "p2"}, metrics={"itl_s": 2 / 3}
            ),
        },
        reference="ref",
        readings=READINGS,
    )


def make_baseline(*sessions, name="main", schema_version=SCHEMA_VERSION):
    return Baseline(
        schema_version=schema_version, machine="box", name=name, sessions=tuple(sessions)
    )


def make_case_record(prompt="sum", *, variant="base", metrics=None, relative=None, error=None):
    return CaseRecord(
        case=Case(
            suite="tasks",
            variant=variant,
            prompt=Prompt(
                id=prompt,
                messages=(Message(role="user", content="2 + 2?"),),
                task=None,
                expect=None,
                score=None,
                source="suite.toml",
            ),
            parameters=Parameters(
                max_new_tokens=8,
                temperature=0.0,
                seed=0,
                top_p=1.0,
                top_k=0,
                length="natural",
                chat=None,
            ),
            sampling=Sampling(rounds=3, warmup=None, max_time_s=60.0),
        ),
        rounds=(),
        memory=None,
        metrics={name: measured(value) for name, value in (metrics or {}).items()},
        text="four",
        finish_reason="stop",
        error=error,
        relative={name: ratio(value) for name, value in (relative or {}).items()},
    )


def make_variant_record(name="base", *, metrics=None, error=None, loaded=True):
    facts = ModelFacts(
        identity={"weights": "abc"},
        settings={"device": "cpu"},
        model_bytes=77,
        context_tokens=None,
        device="cpu",
    )
    return VariantRecord(
        id=name,
        config={"engine": "scripted"},
        facts=facts if loaded else None,
        life_cycle={name: measured(value) for name, value in (metrics or {}).items()},
        warnings=(),
        error=error,
    )


def measured(gate):
    return Measured(
        value=gate * 2, gate=gate, rounds=(gate, gate), launches=(gate, gate), error=0.1
    )


def ratio(value):
    launches = (value,) if math.isinf(value) else (value / 2, value * 2)
    return Relative(to="ref", value=value, launches=launches, error=0.1)
