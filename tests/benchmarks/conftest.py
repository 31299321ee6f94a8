"""The benchmark's scripts import each other as files of one folder; so do these tests."""

from __future__ import annotations

import sys

from tests.support import ROOT

for folder in ("verdicts", "drift"):
    sys.path.append(str(ROOT / "benchmarks" / folder))
