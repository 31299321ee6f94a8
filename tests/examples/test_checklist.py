"""The checker of checklists finds what is lacking: each kind of thing, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.checklist import Line, Report, checklist, lacking
from tests.report.documents import Page

TABLE = """<table><thead><tr><th>variant</th><th>latency</th><th>VRAM</th></tr></thead>
<tbody><tr><th>base</th><td>2 s</td><td>–</td></tr>
<tr><th>empty</th><td>–</td><td>–</td></tr></tbody></table>"""
PAGE = f"""<main><figure class="chart" id="by-task"><h3>By task</h3><div class="plot"></div>{TABLE}
</figure><figure class="chart" id="undrawn">{TABLE}</figure>
<ul><li id="gone">Nothing was measured.</li></ul>
<h3 id="life">Lives</h3><div>{TABLE}</div>
<section id="outputs"><h3>Good answers</h3><div>Paris.</div>
<h3>Bad answers</h3><p class="absent">None is.</p></section></main>"""
MARKDOWN = """### Speed

|  | tok/s | KL |
|---|--:|--:|
| `base` | 3 | – |

### Drift


<details><summary>Answers</summary>

Paris.

</details>
"""


@pytest.fixture
def report(tmp_path: Path) -> Report:
    for name, svg in (("full", '<g class="mark-rect role-mark x">'), ("blank", "<svg>")):
        (tmp_path / f"{name}.png").write_bytes(b"\x89PNG\r\n")
        (tmp_path / f"{name}.svg").write_text(svg)
    return Report(page=Page(PAGE), markdown=MARKDOWN, figures=tmp_path)


def line(*, page=("#by-task",), markdown=(), figures=()) -> Line:
    return Line("it", tuple(page), tuple(markdown), tuple(figures))


@pytest.mark.parametrize(
    "whole",
    [
        line(page=("#by-task", "latency", "base", "variant")),
        line(page=("#life", "latency")),
        line(page=("#outputs", "Good answers")),
        line(markdown=("Speed", "tok/s", "base"), figures=("full",)),
        line(markdown=("Answers",)),
    ],
    ids=str,
)
def test_what_is_there_is_not_lacking(report: Report, whole: Line) -> None:
    assert lacking(whole, report) == []


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (line(page=("#nowhere",)), "the page has no #nowhere"),
        (line(page=("#undrawn",)), "#undrawn is not drawn"),
        (line(page=("#gone",)), "#gone: Nothing was measured."),
        (line(page=("#by-task", "VRAM")), "#by-task has no 'VRAM' with a value"),
        (line(page=("#by-task", "empty")), "#by-task has no 'empty' with a value"),
        (line(page=("#by-task", "cosine")), "#by-task has no 'cosine' with a value"),
        (line(page=("#outputs", "Bad answers")), "#outputs has no 'Bad answers' with a value"),
        (line(markdown=("Speed", "KL")), "Markdown's 'Speed' has no 'KL' with a value"),
        (line(markdown=("Drift",)), "Markdown has no section 'Drift'"),
        (line(markdown=("Memory",)), "Markdown has no section 'Memory'"),
        (line(figures=("blank",)), "no figure blank"),
        (line(figures=("absent",)), "no figure absent"),
    ],
    ids=str,
)
def test_what_is_lacking_is_told(report: Report, broken: Line, said: str) -> None:
    assert lacking(broken, report) == [f"it: {said}"]


def test_a_checklist_is_read(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(
        "# Study\n\n## Checklist\n\n| in the document | page | Markdown | figures |\n"
        "|---|---|---|---|\n| a heat map | `#by-task` `qa` | – | `a` `b` |\n\n## Else\n"
    )
    assert checklist(page) == [Line("a heat map", ("#by-task", "qa"), (), ("a", "b"))]
