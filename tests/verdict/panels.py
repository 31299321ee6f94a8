"""Panels: logarithms of a metric, now and before, with the one thing that a test is about."""

from __future__ import annotations

import numpy as np

from pytest_llmbench.verdict.panel import Panel

ASSUMED = 0.02


def make_panel(now, past, *, errors=None, assumed=ASSUMED, others=(), lasting=False, before=1):
    now = np.atleast_2d(np.array(now, dtype=float))
    cases = now.shape[1]
    return Panel(
        keys=tuple(f"c{number}" for number in range(cases)),
        now=now,
        past=np.array(past, dtype=float).reshape(-1, cases),
        errors=np.zeros(cases) if errors is None else np.array(errors, dtype=float),
        assumed=assumed,
        others=others,
        lasting=lasting,
        launches_before=before,
    )
