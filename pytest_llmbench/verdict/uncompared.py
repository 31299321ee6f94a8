"""Verdicts on what could not be compared: new, missing, incomparable, error.

*subject* is a name for sentences, such as ``case tasks/base-sum-n8-t0``.
"""

from __future__ import annotations

from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.verdict import Difference, Verdict, VerdictKind
from pytest_llmbench.verdict.words import changed_pair, plural


def new_subject(subject: str, baseline: str | None) -> Verdict:
    """Return the one verdict on a case or variant that *baseline* does not have."""
    if baseline is None:
        sentence = (
            f"{subject} has no baseline to be compared with; --llmbench-save keeps this "
            "session as one"
        )
    else:
        sentence = (
            f"{subject} is not in the baseline {baseline!r} yet; --llmbench-save={baseline} adds it"
        )
    return Verdict(metric="", kind=VerdictKind.NEW, sentence=sentence)


def new_metric(metric: Metric, baseline: str) -> Verdict:
    """Return the verdict on a metric that none of the compared sessions has."""
    sentence = (
        f"{metric.name} is not in the baseline {baseline!r} yet; --llmbench-save={baseline} adds it"
    )
    return Verdict(metric=metric.name, kind=VerdictKind.NEW, sentence=sentence)


def other_original(metric: Metric, baseline: str) -> Verdict:
    """Return the verdict on what is said beside the reference, where that was another."""
    other = "another text of it" if metric.of_drift else "other texts of it, or other prompts"
    sentence = (
        f"{metric.name} can't be compared with the baseline {baseline!r}, which is from another "
        f"reference or {other}; --llmbench-replace={baseline} starts it anew"
    )
    return Verdict(metric=metric.name, kind=VerdictKind.INCOMPARABLE, sentence=sentence)


def unmeasured(metric: Metric, baseline: str, reason: str) -> Verdict:
    """Return the verdict on a metric that the baseline has and this session has not."""
    sentence = f"{metric.name} is in the baseline {baseline!r} but was not measured now: {reason}"
    return Verdict(metric=metric.name, kind=VerdictKind.MISSING, sentence=sentence)


def other_work(subject: str, baseline: str, differ: tuple[Difference, ...]) -> Verdict:
    """Return the verdict where the baseline measured another workload or another model."""
    return _incomparable(
        f"{subject} can't be compared with the baseline {baseline!r}, which measured something "
        f"else ({_fields(differ)}); --llmbench-replace={baseline} starts it anew",
        differ,
    )


def other_machine(subject: str, baseline: str, differ: tuple[Difference, ...]) -> Verdict:
    """Return the verdict where the baseline is another machine's."""
    return _incomparable(
        f"absolute times and memory of {subject} can't be compared with the baseline {baseline!r}, "
        f"which is from another machine ({_fields(differ)}); --llmbench-machine=LABEL keeps one "
        "for this machine",
        differ,
    )


def failed(subject: str, error: str, baseline: str | None, sessions: int) -> Verdict:
    """Return the verdict on what failed; *sessions* of the baseline have it working."""
    sentence = f"{subject} failed: {error}"
    if baseline is not None and sessions:
        kept = plural(sessions, "session")
        sentence = f"{sentence} (it used to work: {kept} of the baseline {baseline!r})"
    return Verdict(metric="", kind=VerdictKind.ERROR, sentence=sentence)


def not_run(key: str, baseline: str, saved_at: str) -> Verdict:
    """Return the verdict on a case of the baseline that was not collected."""
    return Verdict(
        metric="",
        kind=VerdictKind.MISSING,
        sentence=(
            f"case {key} is in the baseline {baseline!r} (saved {saved_at}) but was not run; if "
            f"it was removed or renamed on purpose, --llmbench-replace={baseline} starts the "
            "baseline anew without it"
        ),
    )


def _incomparable(sentence: str, differ: tuple[Difference, ...]) -> Verdict:
    return Verdict(
        metric="",
        kind=VerdictKind.INCOMPARABLE,
        sentence=sentence,
        block=tuple(changed_pair(difference) for difference in differ),
    )


def _fields(differ: tuple[Difference, ...]) -> str:
    return ", ".join(difference.field for difference in differ)
