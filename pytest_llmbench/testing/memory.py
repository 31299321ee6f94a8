"""The promise about memory: what a model took, its release gives back."""

from __future__ import annotations

import importlib
from typing import Final

import pytest

from pytest_llmbench.engines import Served, engine_entry
from pytest_llmbench.testing.subject import Subject
from pytest_llmbench.testing.terms import Terms, promise
from pytest_llmbench.units import format_bytes

_TELLING: Final = 64 * 2**20
"""A model that takes less memory than this is lost in what allocators keep."""

_GIVEN_BACK: Final = 0.5
"""Share of the weights' memory that has to return: allocators keep some, and so do libraries."""


class MemoryPromises(Terms):
    """What has to hold when a model is released."""

    def test_free_gives_the_memory_back(self, subject: Subject) -> None:
        """At least half of what the weights took: the end of the process returns the rest."""
        weights = subject.facts.model_bytes
        subject.ask(self.question)  # mapped files take memory when they are first read
        used = subject.memory()
        subject.free()
        self._promise_servers_end(subject)
        given = used - subject.memory()
        took = used - subject.memory_before
        if weights is not None:
            took = min(weights, took)
        if took < _TELLING:
            pytest.skip(f"the model took {format_bytes(max(0, took))}, too little to tell")
        promise(
            given >= _GIVEN_BACK * took,
            f"the model took {format_bytes(took)}, and free gave {format_bytes(max(0, given))} "
            "back; drop every reference to it in free, and empty the library's own pools",
        )

    def _promise_servers_end(self, subject: Subject) -> None:
        """An engine whose model lives in processes of its own leaves none of them behind."""
        entry = engine_entry(subject.variant.engine)
        adapter = getattr(importlib.import_module(entry.module), entry.adapter)
        if issubclass(adapter, Served):
            left = [" ".join(process.cmdline()[:3]) for process in subject.left_behind()]
            promise(not left, f"after free these processes still run: {left}; end them in free")
