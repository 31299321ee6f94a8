"""What a test measured, as properties of its report: JUnit XML carries them, and so do others.

This is what pytest's own fixture ``record_property`` does: names and values at the item, which
``--junitxml`` writes into the test case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from pytest_llmbench.domain.record import Measured
from pytest_llmbench.plugin.items import LifeItem, case_of
from pytest_llmbench.runner.bench import Bench

PREFIX: Final = "llmbench."
"""Before every name, so that none is a user's own."""


def add_properties(item: pytest.Item, bench: Bench) -> None:
    """Add what *bench* knows of the case or the variant that *item* is for; nothing to others.

    An item that is run once more, as plugins do with flaky tests, has them once.
    """
    others = [told for told in item.user_properties if not told[0].startswith(PREFIX)]
    item.user_properties[:] = [*others, *_properties(item, bench)]


def _properties(item: pytest.Item, bench: Bench) -> Iterator[tuple[str, object]]:
    """Yield the variant, then each metric in its base unit."""
    case = case_of(item)
    if case is not None:
        record = bench.cases.get(case.key)
        if record is not None:
            yield f"{PREFIX}case", case.key
            yield from _named(record.metrics)
    elif isinstance(item, LifeItem):
        life = bench.variants.get(item.variant)
        if life is not None:
            yield f"{PREFIX}variant", item.variant
            yield from _named(life.life_cycle)


def _named(metrics: Mapping[str, Measured]) -> Iterator[tuple[str, object]]:
    for name, measured in metrics.items():
        if math.isfinite(measured.value):
            yield f"{PREFIX}{name}", measured.value
