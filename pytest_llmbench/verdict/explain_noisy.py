"""A noisy comparison in words: one sentence with the numbers in it, one block with the evidence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.domain.verdict import Difference, Verdict, VerdictKind
from pytest_llmbench.units import format_amount, format_percent
from pytest_llmbench.verdict.alarms import doubtful
from pytest_llmbench.verdict.evidence import Evidence, worsening_share
from pytest_llmbench.verdict.held import Held
from pytest_llmbench.verdict.noisy import NoisyComparison
from pytest_llmbench.verdict.words import amount_pair, changed_pair, plural

_NOTHING: Final = format_percent(0.0)


def noisy_verdict(
    metric: Metric,
    result: NoisyComparison,
    origin: str,
    changed: Iterable[Difference],
    baseline: str | None,
) -> Verdict:
    """Return *result* as a verdict; everything but ok carries its evidence.

    Args:
        metric: what was compared.
        result: how.
        origin: where the accepted worsening comes from.
        changed: what else differs between the newest compared session and now.
        baseline: the baseline's name; ``None`` side by side.
    """
    sentence = f"{_movement(metric, result)} (accepted: {format_percent(result.accepted)})"
    block: tuple[tuple[str, str], ...] = ()
    if result.kind is not VerdictKind.OK:
        block = _block(metric, result, origin, changed)
    return Verdict(
        metric=metric.name,
        kind=result.kind,
        sentence=sentence + _ending(metric, result, baseline),
        block=block,
        p=result.p,
    )


def _movement(metric: Metric, result: NoisyComparison) -> str:
    """Return ``itl_s rose by 31.2 %, from 3.05 ms to 4 ms``, or against whom it did."""
    held = result.held
    subject = f"over {plural(held.cases, 'case')} {metric.name}" if held.cases > 1 else metric.name
    if held.ground == "side by side":
        return f"{subject} {_beside(metric, result)}"
    verb, by = _by(metric, result)
    moved = f"{verb} by {by}" if by != _NOTHING else "is unchanged"
    if held.ground == "ratio":
        return f"{subject} {moved} against {held.to}, which took turns with it"
    if held.cases > 1:
        return f"{subject} {moved}"
    then, now = amount_pair(result.before, result.now, metric.unit)
    return f"{subject} {moved}{f', from {then} to {now}' if by != _NOTHING else f' at {now}'}"


def _beside(metric: Metric, result: NoisyComparison) -> str:
    """Return ``is 25 % above that of q4@v1, side by side: 4 ms against 3.2 ms``."""
    verb, by = _by(metric, result)
    then, now = amount_pair(result.before, result.now, metric.unit)
    word = "above" if verb == "rose" else "below"
    is_so, told = f"is {by} {word}", f": {now} against {then}"
    if by == _NOTHING:
        is_so, told = "is the same as", f": {now}"
    alone = told if result.held.cases == 1 else ""
    return f"{is_so} that of {result.held.to}, side by side{alone}"


def _by(metric: Metric, result: NoisyComparison) -> tuple[str, str]:
    """Return whether the number rose or fell, and by how much of what it was."""
    rise = -result.worsening if metric.better == "higher" else result.worsening
    return ("rose" if rise >= 0 else "fell"), format_percent(abs(rise))


def _doubt(metric: Metric, aside: Held) -> str:
    """Return what the ratio says, and why nobody knows whether it is true."""
    share = format_percent(worsening_share(aside.evidence.change, better=metric.better))
    return (
        f"against {aside.to}, which took turns with it, it is {share} worse: it became slower, or "
        f"{aside.to} faster, and their own times can't tell which"
    )


def _ending(metric: Metric, result: NoisyComparison, baseline: str | None) -> str:
    """Return what follows from the verdict: how sure it is, and what to type."""
    if result.kind is VerdictKind.IMPROVED and baseline is not None:
        return f"; --llmbench-replace={baseline} makes it the new baseline"
    if result.kind is not VerdictKind.INCONCLUSIVE:
        return ""
    more = "--llmbench-launches=3 looks closer" + (
        "" if baseline is None else ", --llmbench-save adds sessions"
    )
    held = result.held
    if result.doubted and held.aside is not None:
        return f", but {_doubt(metric, held.aside)}; {more}"
    if result.p <= doubtful(result.alpha):
        return f", but noise alone could carry it there (interval: {_interval(result)}); {more}"
    return (
        f", but as far apart as sessions are, only {format_percent(result.detectable)} and more "
        f"can be told from noise; {more}"
    )


def _block(
    metric: Metric, result: NoisyComparison, origin: str, changed: Iterable[Difference]
) -> tuple[tuple[str, str], ...]:
    held = result.held
    then, now = amount_pair(result.before, result.now, metric.unit)
    differs = tuple(changed_pair(difference) for difference in changed)
    notes = ["geometric mean over the cases"] if held.cases > 1 else []
    notes += [f"at the pace that {held.to} has now"] if held.ground == "ratio" else []
    noted = f" ({', '.join(notes)})" if notes else ""
    return (
        ("metric", f"{metric.name}: {metric.summary}"),
        (_other_side(result), f"{then}{noted}"),
        ("now", f"{now} ({plural(held.launches, 'launch', 'launches')})"),
        ("change", _change(metric, result)),
        ("interval", f"{_interval(result)} worse"),
        ("chance", f"{_chance(result.p)} (a verdict needs {_chance(result.alpha)})"),
        ("tolerance", f"{_accepted(metric, result)} ({origin})"),
        ("detectable", f"{format_percent(result.detectable)} and more"),
        *_alone(metric, held.aside or held),
        *_reference(metric, held),
        *(differs or (("changed", "nothing recorded"),)),
    )


def _alone(metric: Metric, held: Held) -> tuple[tuple[str, str], ...]:
    """Return what the two of a ratio did by themselves, which the machine moves too."""
    if held.alone is None:
        return ()
    mine, other = (_became(metric, evidence) for evidence in held.alone)
    return (("alone", f"{mine} by its own times, {held.to} {other}"),)


def _became(metric: Metric, evidence: Evidence) -> str:
    """Return ``8 % slower (±2 %)``: the change with its standard error."""
    share = worsening_share(evidence.change, better=metric.better)
    by, error = format_percent(abs(share)), format_percent(evidence.error)
    how = "as it was" if by == _NOTHING else f"{by} {'slower' if share > 0 else 'faster'}"
    return f"{how} (±{error})"


def _reference(metric: Metric, held: Held) -> tuple[tuple[str, str], ...]:
    """Return why its ratio does not decide: the reference is what changed, or may be."""
    if held.aside is not None:
        by, to = _became(metric, held.aside.evidence), held.aside.to
        why = f"{to} or the machine may have changed"
        return (("reference", f"{by} against {to}, which does not decide: {why}"),)
    if held.moved is None or held.ground == "ratio":
        return ()
    name, evidence = held.moved
    became = _became(metric, evidence)
    return (("reference", f"{name} became {became}, by its own times: the ratio is not asked"),)


def _other_side(result: NoisyComparison) -> str:
    return "against" if result.held.ground == "side by side" else "baseline"


def _change(metric: Metric, result: NoisyComparison) -> str:
    verb, by = _by(metric, result)
    sign = "+" if verb == "rose" else "-"
    held = result.held
    ground = {
        "absolute": f"against {plural(held.sessions, 'session')}",
        "ratio": f"as a multiple of {held.to}'s, against {plural(held.sessions, 'session')}",
        "side by side": f"against {held.to}, in turns",
    }[held.ground]
    return f"{sign}{by} {ground}"


def _interval(result: NoisyComparison) -> str:
    return (
        f"{format_percent(result.low, signed=True)} to {format_percent(result.high, signed=True)}"
    )


def _accepted(metric: Metric, result: NoisyComparison) -> str:
    amount = result.accepted * result.before
    return f"{format_percent(result.accepted)}, {format_amount(amount, metric.unit)}"


def _chance(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-12 else "below 1e-12"
