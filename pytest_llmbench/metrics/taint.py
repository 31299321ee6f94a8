"""Was a round disturbed? No statistic repairs contention, so it has to be noticed.

The run-queue threshold lies between what was seen on quiet processors (up to 0.02 s of waiting
per second) and beside one busy neighbour (0.64 and more). Under such a neighbour the times are
two and a half times longer and as steady as clean ones, so nothing but this reading tells them
apart.
"""

from __future__ import annotations

from typing import Final

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


def taint(contention: Contention, processors: int | None) -> str | None:
    """Return what disturbed the round and how much, or ``None`` where nothing did.

    *processors* is the number of logical processors that ``steal_s`` is summed over; with
    ``None`` (not known) stolen time is not judged. Nor does a reading disturb anything that the
    system could not give (``None``).
    """
    reasons = (
        _run_delay(contention),
        _steal(contention, processors),
        _throttling(contention),
    )
    return " and ".join(reason for reason in reasons if reason) or None


def _run_delay(contention: Contention) -> str | None:
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
