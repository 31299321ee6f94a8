"""Vega as it comes with vl-convert-python: a script for the page, charts compiled for it."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.palette import PAGE

if TYPE_CHECKING:
    from pytest_llmbench.report.figures.facts import Drawing

_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"
_LIBRARIES: Final = {"jinja2": "Jinja2", "altair": "altair", "vl_convert": "vl-convert-python"}


def check_libraries(asked: str) -> None:
    """Check that what draws reports is installed, before anything is measured or read.

    Raises:
        ConfigError: it is not; says what *asked* for it, and the line to type.
    """
    absent = [n for module, n in _LIBRARIES.items() if importlib.util.find_spec(module) is None]
    if absent:
        raise ConfigError(
            f"{asked} needs {', '.join(absent)}, which is not installed; type: "
            "pip install 'pytest-llmbench[report]'"
        )


def vega_lite() -> str:
    """Return the version of Vega-Lite that altair speaks, as vl-convert calls it."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


@cache
def vega_script() -> str:
    """Return Vega as a script that makes the name ``vega``; takes a second or two, once."""
    import vl_convert

    return vl_convert.javascript_bundle("window.vega = vega;", vl_version=vega_lite())


def compiled(chart: Drawing) -> dict[str, Any]:
    """Return *chart* as Vega, in the page's colours, so that the page needs no compiler.

    Any: a specification is JSON of any depth.
    """
    import vl_convert

    from pytest_llmbench.report.charts import specification

    drawn = specification(chart, PAGE, width="container", font=_FONT)
    done: dict[str, Any] = vl_convert.vegalite_to_vega(drawn, vl_version=vega_lite())
    return done
