"""The contract: every promise that an engine makes, as tests to inherit."""

from __future__ import annotations

from pytest_llmbench.testing.forcing import ForcingPromises
from pytest_llmbench.testing.memory import MemoryPromises
from pytest_llmbench.testing.output import OutputPromises
from pytest_llmbench.testing.prompts import PromptPromises
from pytest_llmbench.testing.start import StartPromises


class EngineContract(
    MemoryPromises, OutputPromises, ForcingPromises, PromptPromises, StartPromises
):
    """Every promise that figures rest on, asked of an engine in a process of its own.

    Write a test class that names the engine and its keys::

        class TestMine(EngineContract):
            engine = "mine"
            options = {"model": "models/tiny"}

    What such a class can say of its engine are the attributes of
    :class:`.Terms`. The model is loaded once; the last test, which pytest takes from the first of
    these parents, frees it. A failure says what was promised, what was found, and what to do.
    """
