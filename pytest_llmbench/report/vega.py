"""Vega as it comes with vl-convert-python: a script for the page, charts compiled for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from pytest_llmbench.report.figures.facts import Figure
from pytest_llmbench.report.palette import PAGE

_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def vega_lite() -> str:
    """Return the version of Vega-Lite that altair speaks, as vl-convert calls it."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


@cache
def vega_script() -> str:
    """Return Vega as a script that makes the name ``vega``; takes a second or two, once.

    The address is the name under which vl-convert carries the module: nothing is fetched, its
    bundler knows no network. What it offers by shorter names is all of Vega-Embed, half as large
    again and twice as slow to bundle, of which charts that are compiled need nothing.
    """
    import vl_convert

    module = f"https://cdn.jsdelivr.net/npm/vega@{vl_convert.get_vega_version()}/+esm.js"
    snippet = f'import * as vega_module from "{module}"; window.vega = vega_module;'
    return vl_convert.javascript_bundle(snippet, vl_version=vega_lite())


def compiled(figure: Figure) -> dict[str, Any]:
    """Return *figure* as Vega, in the page's colours, so that the page needs no compiler.

    Any: a specification is JSON of any depth.
    """
    import vl_convert

    from pytest_llmbench.report.specification import specification

    with unchecked():
        chart = figure.drawing(PAGE)
        drawn = specification(chart, figure.rows, PAGE, width="container", font=_FONT)
    done: dict[str, Any] = vl_convert.vegalite_to_vega(drawn, vl_version=vega_lite())
    return done


@contextmanager
def unchecked() -> Iterator[None]:
    """Let altair check no chart against Vega-Lite's schema meanwhile: tests do, and it is slow."""
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):  # noqa: FBT003 — altair takes it so
        yield
