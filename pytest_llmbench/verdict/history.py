"""Which of a baseline's sessions can be compared with what was measured now."""

from __future__ import annotations

from pytest_llmbench.domain.baseline import Baseline
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.record import Environment
from pytest_llmbench.domain.verdict import Difference
from pytest_llmbench.verdict.words import differences


class Sample(Fact, frozen=True, kw_only=True):
    """One session's numbers of one case, or of one variant's life, with all they depend on.

    *workload* is empty for a life; *metrics* are session statistics in base units; *original* is
    what drift is from.
    """

    environment: Environment
    workload: dict[str, str]
    identity: dict[str, str]
    settings: dict[str, str]
    metrics: dict[str, float]
    original: str | None = None


def kept_case(baseline: Baseline | None, key: str) -> tuple[Sample, ...]:
    """Return the case *key* in every session that has it, oldest first."""
    kept = []
    for session in baseline.sessions if baseline else ():
        case = session.cases.get(key)
        if case is None:
            continue
        variant = session.variants.get(case.variant)
        kept.append(
            Sample(
                environment=session.environment,
                workload=case.workload,
                identity=variant.identity if variant else {},
                settings=variant.settings if variant else {},
                metrics=case.metrics,
                original=case.original,
            )
        )
    return tuple(kept)


def kept_life(baseline: Baseline | None, variant: str) -> tuple[Sample, ...]:
    """Return the life of *variant* in every session that has it, oldest first."""
    return tuple(
        Sample(
            environment=session.environment,
            workload={},
            identity=session.variants[variant].identity,
            settings=session.variants[variant].settings,
            metrics=session.variants[variant].metrics,
            original=session.variants[variant].answers,
        )
        for session in (baseline.sessions if baseline else ())
        if variant in session.variants
    )


def same_work(past: tuple[Sample, ...], now: Sample) -> tuple[Sample, ...]:
    """Return the samples of the same workload by the same model."""
    return tuple(
        then for then in past if then.workload == now.workload and then.identity == now.identity
    )


def same_machine(past: tuple[Sample, ...], now: Sample) -> tuple[Sample, ...]:
    """Return the samples from a machine of the same identity."""
    return tuple(then for then in past if then.environment.identity == now.environment.identity)


def work_differences(then: Sample, now: Sample) -> tuple[Difference, ...]:
    """Return what makes the two incomparable: fields of the workload and the model."""
    return differences(then.workload, now.workload) + differences(then.identity, now.identity)


def machine_differences(then: Sample, now: Sample) -> tuple[Difference, ...]:
    """Return what makes the machines incomparable."""
    return differences(then.environment.identity, now.environment.identity)


def likely_causes(then: Sample, now: Sample) -> tuple[Difference, ...]:
    """Return what else is not as it was: machine, its context, and the variant's settings.

    Side by side the models may differ as well.
    """
    return (
        machine_differences(then, now)
        + differences(then.identity, now.identity)
        + differences(then.environment.context, now.environment.context)
        + differences(then.settings, now.settings)
    )
