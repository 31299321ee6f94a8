"""Was a round disturbed? No statistic repairs contention, so it has to be noticed.

The run-queue threshold lies between what was seen on quiet processors (up to 0.02 s of waiting
per second) and beside one busy neighbour (0.64 and more). Under such a neighbour the times are
two and a half times longer and as steady as clean ones, so nothing but this reading tells them
apart.
"""

from __future__ import annotations

from typing import Final

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.trace import Contention
from pytest_llmbench.units import format_percent

ACCEPTED_RUN_DELAY: Final = 0.05
"""Seconds per second of wall time that the threads may wait for a processor, summed."""

ACCEPTED_STEAL: Final = 0.05
"""Share of each processor's time that the hypervisor may give to others."""

GRAIN_S: Final = 1e-3
"""Waiting for a processor shorter than this is the scheduler's own doing, in a short round too."""

STEAL_GRAIN_S: Final = 0.02
"""Stolen time is counted in ticks of (mostly) 10 ms: one of them says nothing of a short round."""

ACCEPTED_PACE: Final = 1.25
"""How many times its usual time the fixed piece of work may take.

Seen of its best time: 1.0 to 1.1 with a core to itself, 1.6 to 2.1 with another guest on its other
hardware thread, and little between. Where such a guest is always there, its pace is the usual one:
what most rounds have disturbs none of them, and leaving them out would leave too few."""

THROTTLING: Final = frozenset(
    {
        "hw_power_brake",
        "hw_power_brake_slowdown",
        "hw_slowdown",
        "hw_thermal_slowdown",
        "sw_thermal_slowdown",
    }
)
"""NVML's clock-event reasons that mean heat or a failing power supply.

``sw_power_cap`` is not one of them: a device that works hard runs at its power limit always, in
the baseline as well, and calling that a disturbance would silence the gate where it matters.
"""


class Machine(Fact, frozen=True, kw_only=True):
    """What has to be known of a machine to tell whether a round was disturbed.

    Attributes:
        processors: logical processors that ``steal_s`` is summed over; with ``None`` (not known)
            stolen time is not judged.
        pace_s: seconds that the fixed piece of work mostly takes, see :func:`round_pace`; with
            ``None`` pace is not judged.
    """

    processors: int | None = None
    pace_s: float | None = None


def taint(contention: Contention, machine: Machine) -> str | None:
    """Return what disturbed the round and how much, or ``None`` where nothing did.

    No reading disturbs anything that the system could not give (``None``).
    """
    reasons = (
        crowding(contention),
        _steal(contention, machine.processors),
        _throttling(contention),
        _slow_pace(contention, machine.pace_s),
    )
    return " and ".join(reason for reason in reasons if reason) or None


def round_pace(contention: Contention) -> float | None:
    """Return the pace of a round in seconds: the slower of before and after."""
    return None if contention.paces_s is None else max(contention.paces_s)


def _slow_pace(contention: Contention, usual_s: float | None) -> str | None:
    pace = round_pace(contention)
    if usual_s is None or pace is None or pace <= ACCEPTED_PACE * usual_s:
        return None
    return (
        f"the machine itself was slow: a fixed piece of work took {pace / usual_s:.2f} times as "
        f"long as usual (accepted: {ACCEPTED_PACE:g})"
    )


def crowding(contention: Contention) -> str | None:
    """Return how long the round's threads waited for a processor, where that disturbed it."""
    share = _share(contention.run_delay_s, contention.wall_s)
    if share <= ACCEPTED_RUN_DELAY or (contention.run_delay_s or 0.0) < GRAIN_S:
        return None
    return (
        f"its threads waited for a processor {format_percent(share)} of the time "
        f"(accepted: {format_percent(ACCEPTED_RUN_DELAY)})"
    )


def _steal(contention: Contention, processors: int | None) -> str | None:
    share = _share(contention.steal_s, contention.wall_s * (processors or 0))
    if share <= ACCEPTED_STEAL or (contention.steal_s or 0.0) < STEAL_GRAIN_S:
        return None
    return (
        f"the hypervisor gave {format_percent(share)} of the processors' time to others "
        f"(accepted: {format_percent(ACCEPTED_STEAL)})"
    )


def _throttling(contention: Contention) -> str | None:
    held = {reason.lower() for reason in contention.gpu_clock_reasons or ()}
    if not held & THROTTLING:
        return None
    degrees = contention.gpu_temperature_c
    at = "" if degrees is None else f" at {degrees:.0f} °C"
    return f"the GPU lowered its clocks{at} ({', '.join(sorted(held & THROTTLING))})"


def _share(part: float | None, whole: float) -> float:
    return 0.0 if part is None or whole <= 0 else part / whole
