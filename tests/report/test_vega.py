"""Vega for the page: bundled beside, or here where that can't be."""

from __future__ import annotations

import pytest

from pytest_llmbench.report import vega

pytestmark = pytest.mark.engine("report")


def test_it_is_bundled_once() -> None:
    assert vega.vega_script() is vega.vega_script()
    assert vega.vega_script()().endswith(";")


def test_it_has_what_the_page_asks_for() -> None:
    script = vega.vega_script()()
    assert "window.vega=" in script
    assert len(script) > 400_000


def test_where_no_other_process_can_do_it_this_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vega, "_BUNDLE", "raise SystemExit(1)")
    assert vega.Bundling().script() == vega.vega_script()()
