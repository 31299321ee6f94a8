"""The pytest plugin: the only part of the package that imports pytest.

This module is imported by every pytest run of every project that has the package installed, so
it costs next to nothing: options, marker and fixtures are declared here, and all else is
imported when ``--llmbench`` is given.

PYTEST_DONT_REWRITE: nothing here asserts, and rewriting would cost every pytest run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmbench.plugin.marker import MARKER, marker_arguments
from pytest_llmbench.plugin.options import add_options

if TYPE_CHECKING:
    from pytest_llmbench.plugin.fixtures import Benchmark, LoadedVariant
    from pytest_llmbench.plugin.run import Run

FIXTURES = frozenset({"llmbench", "llmbench_variant"})
RUN: pytest.StashKey[Run] = pytest.StashKey()
"""Where the state of a run with ``--llmbench`` is; absent in every other run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; with ``--llmbench``, start the run."""
    config.addinivalue_line("markers", MARKER)
    if (config.getoption("llmbench") or config.getini("llmbench")) and not config.option.help:
        from pytest_llmbench.plugin.run import start_run

        start_run(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item of each case (or variant) of a test that takes one of our fixtures."""
    arguments = marker_arguments(metafunc.definition)
    run = metafunc.config.stash.get(RUN, None)
    if run is not None:
        run.parametrize(metafunc, arguments)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without ``--llmbench``, skip what needs it before any of its fixtures is set up."""
    if RUN not in item.config.stash and not FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        pytest.skip("benchmarks of language models run with --llmbench only")


@pytest.fixture
def llmbench(request: pytest.FixtureRequest) -> Benchmark:
    """Measure the case that this item is for: call it, get a :class:`pytest_llmbench.Result`."""
    return request.config.stash[RUN].benchmark(request)


@pytest.fixture
def llmbench_variant(request: pytest.FixtureRequest) -> LoadedVariant:
    """The loaded variant, for tests of one's own: ``llmbench_variant.generate("…").text``."""
    return request.config.stash[RUN].loaded_variant(request)
