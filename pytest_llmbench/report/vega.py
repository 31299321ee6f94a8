"""Vega as it comes with vl-convert-python: a script for the page, charts compiled for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from pytest_llmbench.report.figures.facts import Figure
from pytest_llmbench.report.palette import PAGE

_BUNDLE: Final = (
    "import sys, vl_convert; sys.stdout.buffer.write("
    "vl_convert.javascript_bundle(sys.argv[1], vl_version=sys.argv[2]).encode())"
)
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"


def vega_lite() -> str:
    """Return the version of Vega-Lite that altair speaks, as vl-convert calls it."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


class Bundling:
    """Bundles Vega in a process of its own, while this one draws: a second or two of work.

    The address is the name under which vl-convert carries the module: nothing is fetched, its
    bundler knows no network. What it offers by shorter names is all of Vega-Embed, half as large
    again and twice as slow to bundle, of which charts that are compiled need nothing.
    """

    def __init__(self) -> None:
        import vl_convert

        module = f"https://cdn.jsdelivr.net/npm/vega@{vl_convert.get_vega_version()}/+esm.js"
        self._snippet = f'import * as vega_module from "{module}"; window.vega = vega_module;'
        self._child = subprocess.Popen(  # noqa: S603 — this interpreter, and words of our own
            [sys.executable, "-c", _BUNDLE, self._snippet, vega_lite()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def script(self) -> str:
        """Return Vega as a script that makes the name ``vega``; waits until it is there.

        Where the other process could not do it (a sandbox forbids it, say), this one does.
        """
        import vl_convert

        output, _ = self._child.communicate()
        if self._child.returncode == 0:
            return output.decode()
        return vl_convert.javascript_bundle(self._snippet, vl_version=vega_lite())


@cache
def vega_script() -> Callable[[], str]:
    """Begin to bundle Vega, once in this process; return what waits for it."""
    return cache(Bundling().script)


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
