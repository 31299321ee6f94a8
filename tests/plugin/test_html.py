"""``--llmbench-html``: the report of a run, the same as the one written from its record later."""

from __future__ import annotations

import importlib
import importlib.util

import pytest

import pytest_llmbench.report.libraries  # noqa: F401
from pytest_llmbench.cli import main
from pytest_llmbench.plugin.typed import typed_words
from tests.plugin.conftest import SMALL, TWO_VARIANTS, Project

# pytester forgets what an inner run imports, and these can't be imported twice in one process.
for name in ("altair", "vl_convert", "jinja2"):
    if importlib.util.find_spec(name) is not None:
        importlib.import_module(name)

needs_libraries = pytest.mark.engine("report")


@pytest.fixture
def small(project: Project) -> Project:
    return project.with_files(llmbench_toml=TWO_VARIANTS, small_toml=SMALL)


@needs_libraries
def test_a_report_of_the_run_is_that_of_its_record(small: Project) -> None:
    result = small.run("--llmbench-html=out.html", "--llmbench-json=out.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["wrote out.json", "wrote out.html"])
    assert main(["report", "out.json", "--html=again.html"]) == 0
    assert small.text("out.html") == small.text("again.html")
    assert "--llmbench-html=out.html --llmbench-json=out.json" in small.text("out.html")
    assert "no baseline &#39;main&#39; for machine box yet" in small.text("out.html")


@needs_libraries
def test_it_can_stand_in_the_ini_file(small: Project) -> None:
    small.with_files(
        pytest_ini="[pytest]\nllmbench_machine = box\nllmbench_html = reports/out.html\n"
    )
    assert small.run().ret == 0
    assert small.text("reports/out.html").startswith("<!doctype html>")


@needs_libraries
@pytest.mark.parametrize("path", ["here/out.html", "here", "small.toml", "baselines/out.html"])
def test_what_is_no_place_for_it_stops_the_run_before_measuring(small: Project, path: str) -> None:
    (small.root / "here").write_text("")
    if path == "here":
        (small.root / "here").unlink()
        (small.root / "here").mkdir()
    result = small.run(f"--llmbench-html={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --llmbench-html=*{path.partition('/')[0]}*"])


def test_two_reports_need_two_files(small: Project) -> None:
    result = small.run("--llmbench-html=out", "--llmbench-json=out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --llmbench-json and --llmbench-html name one file; each report needs one*"]
    )


def test_without_the_extra_the_line_to_type_is_said(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = {"no_such_module_here": "Jinja2"}
    monkeypatch.setattr("pytest_llmbench.report.libraries._LIBRARIES", absent)
    result = small.run("--llmbench-html=out.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --llmbench-html needs Jinja2*; type: pip install 'pytest-llmbench[[]report]'"]
    )


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (["--llmbench", "-k", "a"], ["--llmbench", "-k", "a"]),
        (["--api-key", "abc"], ["--api-key", "…"]),
        (["--api-key=abc"], ["--api-key=…"]),
        (["--llmbench-set=variants.a.api_key=abc"], ["--llmbench-set=variants.a.api_key=…"]),
        (["--llmbench-set", "variants.a.api_key=abc"], ["--llmbench-set", "variants.a.api_key=…"]),
        (
            ["--llmbench-set=variants.a.headers.authorization=abc"],
            ["--llmbench-set=variants.a.headers.authorization=…"],
        ),
        (["--llmbench-set=variants.a.dtype=float16"], ["--llmbench-set=variants.a.dtype=float16"]),
        (
            ["--llmbench-set=variants.a.base_url=http://me:abc@host/v1"],
            ["--llmbench-set=variants.a.base_url=http://…@host/v1"],
        ),
    ],
)
def test_secrets_are_not_among_the_words(typed: list[str], kept: list[str]) -> None:
    assert typed_words(typed) == ("pytest", *kept)
