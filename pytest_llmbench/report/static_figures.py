"""Figures as files: PNG and SVG, for papers and slides, under names that say what they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from pytest_llmbench.report.figures import Figure, all_figures
from pytest_llmbench.report.files import write_file
from pytest_llmbench.report.palette import DAY
from pytest_llmbench.report.results import Study
from pytest_llmbench.report.vega import unchecked, vega_lite

WIDTH: Final = 640
"""Points of the plot itself; labels and legend come besides."""

_SCALE: Final = 2.0
"""Pixels of a PNG to a point."""


def write_figures(folder: Path, study: Study, *, flag: str = "--figures") -> tuple[Path, ...]:
    """Write every figure that has data into *folder*; return the files, in the report's order.

    Args:
        folder: made where it is not there; other files in it stay.
        study: what is drawn.
        flag: the option that named *folder*, for messages.

    Raises:
        ConfigError: a file can't be written.
    """
    written = []
    for figure in all_figures(study):
        for suffix, data in drawn(figure):
            path = folder / f"{figure.name}.{suffix}"
            write_file(path, data, flag=flag)
            written.append(path)
    return tuple(written)


def drawn(figure: Figure) -> Iterator[tuple[str, bytes]]:
    """Yield *figure* as SVG and as PNG, each with its suffix; nothing where data is absent."""
    if figure.absent is not None:
        return
    import vl_convert

    specified = _specified(figure)
    svg = vl_convert.vegalite_to_svg(specified, vl_version=vega_lite())
    yield "svg", _titled(svg, figure).encode("utf-8", errors="backslashreplace")
    yield "png", vl_convert.svg_to_png(svg, scale=_SCALE)


def _titled(svg: str, figure: Figure) -> str:
    """Return *svg* with its name, and what it shows, for those who can't see it."""
    opening, bracket, rest = svg.partition(">")
    assert opening.startswith("<svg")
    told = f"<title>{escape(figure.title)}</title><desc>{escape(figure.says)}</desc>"
    return f"{opening}{bracket}{told}{rest}"


def _specified(figure: Figure) -> dict[str, Any]:  # Any: JSON of any depth
    """Return *figure* as Vega-Lite, with its title and on white: a file stands alone."""
    from pytest_llmbench.report.specification import specification

    with unchecked():
        chart = figure.drawing(DAY)
        specified = specification(chart, figure.rows, DAY, width=WIDTH)
    specified["title"] = figure.title
    specified["background"] = DAY.surface
    specified["padding"] = 16
    return specified
