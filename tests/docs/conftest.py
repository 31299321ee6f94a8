"""What the pages show is the judge's: other work and the pace of this machine are left out."""

from __future__ import annotations

import math

import pytest
import scipy.special  # noqa: F401

# pytester forgets what an inner run imports; numpy can't be imported twice in one process.
import pytest_llmbench.plugin.hooks
import pytest_llmbench.report.table  # noqa: F401
from pytest_llmbench.metrics import taint
from pytest_llmbench.verdict import slow_machine


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is never disturbed and never slow, for examples whose times are scripted."""
    for threshold in ("ACCEPTED_RUN_DELAY", "ACCEPTED_STEAL", "ACCEPTED_PACE"):
        monkeypatch.setattr(taint, threshold, math.inf)
    monkeypatch.setattr(slow_machine, "SHARE", math.inf)
