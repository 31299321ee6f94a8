"""Figures as files: what they are called, that they are what their names say, and hostile names."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET

import pytest

from pytest_llmbench.errors import ConfigError
from pytest_llmbench.report.figures import all_figures
from pytest_llmbench.report.json_report import session_document
from pytest_llmbench.report.results import results_of, study_of
from pytest_llmbench.report.static_figures import WIDTH, write_figures

from .facts import case, life, session
from .studies import study

SVG = "{http://www.w3.org/2000/svg}"

pytestmark = pytest.mark.engine("report")


def test_every_figure_is_a_png_and_an_svg(tmp_path) -> None:
    whole = study(prompts=1, rounds=2)
    written = write_figures(tmp_path / "figures", whole)
    names = [figure.name for figure in all_figures(whole)]
    assert [path.name for path in written] == [f"{n}.{s}" for n in names for s in ("svg", "png")]
    for path in written:
        data = path.read_bytes()
        if path.suffix == ".png":
            assert data.startswith(b"\x89PNG\r\n\x1a\n")
            assert struct.unpack(">I", data[16:20])[0] >= 2 * WIDTH
        else:
            root = ET.fromstring(data)
            assert root.tag == f"{SVG}svg"
            assert [root[0].tag, root[1].tag] == [f"{SVG}title", f"{SVG}desc"]
            assert root[0].text in {figure.title for figure in all_figures(whole)}
    assert b"Latency by output length" in (tmp_path / "figures/latency-by-length.svg").read_bytes()


def test_what_has_no_data_is_not_written(tmp_path) -> None:
    empty = study_of([("one", results_of(session_document(session())))])
    assert write_figures(tmp_path / "figures", empty) == ()
    assert not (tmp_path / "figures").exists()


def test_other_files_stay(tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "ranking.png").mkdir()
    with pytest.raises(ConfigError, match=r"--figures=.*ranking\.png can't be written"):
        write_figures(tmp_path, study(prompts=1, rounds=1))
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_name_can_be_no_markup(tmp_path) -> None:
    bait = "</text><script>alert(1)</script>"
    record = session(cases=[case(variant=bait)], variants=[life(bait)])
    for path in write_figures(tmp_path, study_of([("", results_of(session_document(record)))])):
        if path.suffix == ".svg":
            tags = {element.tag for element in ET.fromstring(path.read_bytes()).iter()}
            assert "{http://www.w3.org/2000/svg}script" not in tags
