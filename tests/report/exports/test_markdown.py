"""The Markdown report: read by GitHub's own parser, complete, and short enough."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cmarkgfm
import msgspec
import pytest
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.record import Invocation
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.report.exports.markdown import COMMENT, render
from pytest_llmbench.report.exports.markdown_text import block, code, code_cell, row, table
from pytest_llmbench.report.results import session_results
from tests.report.exports.facts import MARKUP, full, results, rich
from tests.report.facts import HOSTILE, case, example, life, new, ok, regressed, session, verdict

OURS = {
    *("h2", "h3", "p", "ul", "li", "strong", "code", "pre", "details", "summary"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
"""The elements that the report is made of."""


class Page(HTMLParser):
    """A rendered report: its elements, its code, and all other words."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.code: list[str] = []
        self.words = ""
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        html = cmarkgfm.github_flavored_markdown_to_html(
            markdown, Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_FOOTNOTES
        )
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "code" in self._open:
            self.code[-1] += data
        else:
            self.words += data
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data


def test_a_session_with_everything(golden) -> None:
    golden("markdown-full", render(results()))


def test_two_variants_on_two_suites(golden) -> None:
    golden("markdown-example", render(session_results(example())))


def test_what_others_wrote_is_in_code_alone() -> None:
    page = Page(render(results()))
    assert page.tags <= OURS
    for foreign in ("octocat", "script", "HYPERLINK", "x.invalid", "alert", "smile", "it died"):
        assert foreign not in page.words
        assert any(foreign in text for text in page.code), foreign


@given(st.text(max_size=40))
def test_any_text_is_one_code_span(text: str) -> None:
    page = Page(f"- {code(text)}\n")
    assert page.tags <= {"ul", "li", "code"}
    assert len(page.code) <= 1
    assert page.words.strip() in ("", "–")


@given(st.text(alphabet="`|\\<>@*_[]()!#&; \nab:/.w", max_size=30))
def test_any_text_stays_in_its_cell(text: str) -> None:
    page = Page("\n".join((*table(("a", "b"), (False, True)), row((code_cell(text), "7")))))
    assert page.tags <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    heading, cells = page.rows
    assert heading == ["a", "b"]
    assert cells[1:] == ["7"]


@given(st.text(alphabet="`~<>@*|\n ab", max_size=60))
def test_any_text_stays_in_its_block(text: str) -> None:
    page = Page(f"{block(text)}\n\nafter\n")
    assert page.tags == {"pre", "code", "p"}
    assert page.words.strip() == "after"


def test_a_code_span_says_what_it_was_given() -> None:
    for text in ("a", "`a`", "a``b", "<b>", "&amp;", "a\\", "*x*"):
        assert Page(code(text)).code == [text]
    assert "".join(Page("\n".join((*table(("a",), (False,)), row((code_cell("x|y"),))))).code) == (
        "x|y"
    )


def test_no_line_of_an_answer_gets_out_of_its_block() -> None:
    text = "```\n</details>\n# heading\n@octocat\n~~~\n````"
    page = Page(render(session_results(session([case(ok(), text=text)], [life()]))))
    assert page.tags <= OURS
    assert "heading" not in page.words
    assert page.words.count("Examples of answers") == 1


def many(count: int) -> str:
    cases = [rich(ok("ttft_s"), prompt=f"p{number}") for number in range(count)]
    told = session_results(session(cases, [life()]))
    return render(told)


def test_a_thousand_cases_fit_a_comment() -> None:
    text = many(1000)
    assert COMMENT - 2000 < len(text.encode()) <= COMMENT
    assert "more, left out to fit" in text
    assert text.rstrip().endswith(
        "Left out to fit 65,536 bytes: examples of answers. All of it is in `--llmbench-json`."
    )
    assert Page(text).tags <= OURS


@pytest.mark.parametrize("limit", range(2048, 9000, 331))
def test_any_limit_is_kept_and_verdicts_come_first(limit: int) -> None:
    text = render(results(), limit=limit)
    assert len(text.encode()) <= limit
    assert text.startswith("## llmbench: 2 error, 2 regressed, 1 missing, 3 ok\n")
    assert "itl_s rose by 31.2 %" in text
    assert Page(text).tags <= OURS


def test_what_is_left_out_is_named() -> None:
    whole, short = render(results()), render(results(), limit=2600)
    assert "Left out" not in whole
    *shown, named = short.splitlines()
    titles = re.findall(r"(?:### |<summary>)([\w ]+)", whole)
    gone = [title for title in titles if not any(title in line for line in shown)]
    assert gone[-2:] == ["Every case", "Examples of answers"]
    assert named.startswith(f"Left out to fit 2,600 bytes: {', '.join(map(str.lower, gone))}.")


def test_the_same_of_many_is_one_line() -> None:
    cases = [case(new(f"case exo-five/base-fp16-p{n}-n64-t0"), prompt=f"p{n}") for n in range(9)]
    text = render(session_results(session(cases)))
    assert "Nothing was compared: there is no baseline" in text
    more = [verdict(VerdictKind.INCONCLUSIVE, "itl_s", "itl_s rose, but noise")] * 9
    cases = [case(said, prompt=str(n)) for n, said in enumerate(more)]
    lines = render(session_results(session(cases))).splitlines()
    assert [line for line in lines if "but noise" in line] == [
        "- `exo-five/base-fp16-0-n64-t0: itl_s rose, but noise` and 8 other cases likewise"
    ]


def test_what_else_changed_and_what_to_type_stand_with_a_regression() -> None:
    text = render(session_results(session([case(regressed())])))
    assert "(changed: `torch 2.12.0 -> 2.13.0`, `threads 4 -> 2`)" in text
    assert "To accept what regressed, if on purpose, type pytest --llmbench --llmbench-no-" in text
    assert "To accept" not in render(session_results(session([case(ok())])))


def test_what_a_cause_says_is_code() -> None:
    block = (("baseline", "3 ms"), *[("changed", f"{MARKUP} {number}") for number in range(9)])
    said = verdict(VerdictKind.REGRESSED, "itl_s", "itl_s rose", block)
    page = Page(render(session_results(session([case(said)]))))
    assert page.tags <= OURS
    assert "octocat" not in page.words
    assert "and 4 more" in page.words


def test_the_head_says_what_it_was_compared_with() -> None:
    asked = Invocation(
        command=("pytest",),
        started_at="x",
        ended_at="y",
        compared_with="baseline 'main' (@octocat)",
    )
    told = msgspec.structs.replace(session_results(session([case(ok())])), invocation=asked)
    assert "0 variants, 1 case; `baseline 'main' (@octocat)`\n" in render(told)


def swept(**lists: tuple) -> str:
    cases = []
    for field, values in lists.items():
        for value in values:
            judged = rich(ok())
            parameters = msgspec.structs.replace(judged.record.case.parameters, **{field: value})
            told = msgspec.structs.replace(judged.record.case, parameters=parameters)
            record = msgspec.structs.replace(judged.record, case=told)
            cases.append(msgspec.structs.replace(judged, record=record))
    return spaced(render(session_results(session(cases, [life()]))))


def spaced(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_lengths_and_temperatures_have_tables_where_they_differ() -> None:
    lengths = swept(max_new_tokens=(64, 128, 256))
    assert "### By output length" in lengths
    assert "| `base-fp16` | 128 | 11 ms | 1.1 s | 50 | 1 |" in lengths
    assert "By temperature" not in lengths
    warm = swept(temperature=(0.3, 0.7))
    assert "| `base-fp16` | 0.7 | 11 ms | 1.1 s | 50 | 1 |" in warm
    assert "By output length" not in warm


def test_tasks_have_tables_where_there_are_several() -> None:
    cases = []
    for task in ("qa", "coding"):
        judged = rich(ok())
        prompt = msgspec.structs.replace(judged.record.case.prompt, task=task, id=task)
        told = msgspec.structs.replace(judged.record.case, prompt=prompt)
        record = msgspec.structs.replace(judged.record, case=told)
        cases.append(msgspec.structs.replace(judged, record=record))
    text = spaced(render(session_results(session(cases, [life()]))))
    assert "| variant | `qa` | `coding` |" in text
    assert "| `base-fp16` | 100 % of 1 | 100 % of 1 |" in text
    assert "By task" not in render(results())


def test_hidden_characters_are_written_out() -> None:
    text = render(session_results(session([case(ok(), text=HOSTILE, prompt=HOSTILE)], [life()])))
    assert "\\x1b[31m" in text
    assert "\\u202e" in text


def test_the_hostile_variant_has_its_row() -> None:
    page = Page(render(session_results(full())))
    assert [r for r in page.rows if r and r[0].startswith("=HYPERLINK")]
    assert any(MARKUP in text for text in page.code)


def test_nothing_judged_is_not_well() -> None:
    assert "Nothing was measured." in render(session_results(session([], [])))
    unjudged = render(session_results(session([case()], [])))
    assert "Nothing was judged." in unjudged
    assert "All is well." not in unjudged
