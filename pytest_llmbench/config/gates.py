"""Limits and tolerances: from ``{"ttft_s": "<= 80 ms"}`` and ``{"ttft_s": "5%"}`` to gates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, cast

from pytest_llmbench.config.place import Place, unknown
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.gate import Gates, Limit, Operator, Tolerance
from pytest_llmbench.domain.metric import Metric
from pytest_llmbench.units import example_amount, parse_amount

_LIMIT: Final = re.compile(r"\s*(?P<operator><=|>=|==|<|>)\s*(?P<amount>.*\S)\s*")


def parse_gates(
    limits: Mapping[str, object],
    tolerance: Mapping[str, object],
    place: Place,
    *,
    of: Literal["case"] | None = None,
) -> Gates:
    """Return the gates of one scope.

    Args:
        limits: limits by metric.
        tolerance: tolerances by metric.
        place: the table that holds both.
        of: ``"case"`` where a variant's life can't be judged: in a suite, a marker, a call.

    Raises:
        ConfigError: an unknown metric, one that can't be judged here, or text that is no limit
            or tolerance of that metric.
    """
    for key, table in (("limits", limits), ("tolerance", tolerance)):
        for name in table:
            if of == "case" and name in CATALOGUE and CATALOGUE[name].of != of:
                raise (place / key / name).error(
                    f"{name} belongs to the life of a variant, not to a case; set it in "
                    f"[{key}] or [variants.NAME.{key}] of the configuration"
                )
    return Gates(
        limits={name: parse_limit(name, text, place / "limits") for name, text in limits.items()},
        tolerances={
            name: parse_tolerance(name, text, place / "tolerance")
            for name, text in tolerance.items()
        },
    )


def parse_limit(name: str, text: object, place: Place) -> Limit:
    """Return the limit that *text* (``"<= 80 ms"``) sets on the metric *name*."""
    metric = _metric(name, place)
    match = _LIMIT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        better = ">=" if metric.better == "higher" else "<="
        raise (place / name).error(
            f"{text!r} is not a limit; write an operator and an amount, "
            f'such as {name} = "{better} {example_amount(metric.unit)}"'
        )
    return Limit(
        metric=name,
        operator=cast("Operator", match["operator"]),
        bound=_amount(match["amount"], metric, place / name),
        origin=str(place / name),
    )


def parse_tolerance(name: str, value: object, place: Place) -> Tolerance:
    """Return the tolerance *value* for the metric *name*: ``"5%"``, ``"50 MiB"`` or a number."""
    metric = _metric(name, place)
    where = place / name
    text = str(value) if isinstance(value, int | float | str) else ""
    share = text.strip().endswith("%")
    amount = parse_share(text, where) if share else _amount(text, metric, where)
    if amount < 0:
        raise where.error(f"{value!r} is negative; a tolerance is how much worse is accepted")
    return Tolerance(
        metric=name,
        share=amount if share else None,
        amount=None if share else amount,
        origin=str(where),
    )


def parse_share(text: str, place: Place) -> float:
    """Return ``"5%"`` as 0.05."""
    try:
        return parse_amount(text, "1")
    except ValueError as exc:
        raise place.error(f"{exc}; write a percentage such as '5%'") from exc


def _metric(name: str, place: Place) -> Metric:
    if name not in CATALOGUE:
        raise place.error(unknown(name, "metric", CATALOGUE))
    return CATALOGUE[name]


def _amount(text: str, metric: Metric, place: Place) -> float:
    try:
        return parse_amount(text, metric.unit)
    except ValueError as exc:
        raise place.error(f"{exc}; {metric.name} is in {metric.unit!r}") from exc
