"""The HTML report: one file that needs nothing else, written from what the results file holds.

Everything that a model, an engine or a user wrote is text: the template escapes it, characters that
act are written out before (:mod:`.text`), and a content security policy that names the scripts by
their hashes lets no other run and no address be asked, should any of that fail.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmbench.report.figures import all_figures
from pytest_llmbench.report.files import write_file
from pytest_llmbench.report.page import outputs, surroundings, tables
from pytest_llmbench.report.page.compared import compared_table
from pytest_llmbench.report.page.findings import case_tags, overview
from pytest_llmbench.report.palette import DAY, NIGHT, SIGNS, Theme, variables
from pytest_llmbench.report.results import Study
from pytest_llmbench.report.text import one_line
from pytest_llmbench.report.vega import compiled, vega_script
from pytest_llmbench.verdict.outcome import SEVERITY
from pytest_llmbench.verdict.words import plural

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES: Final = Path(__file__).parent / "page" / "template"
_MOST_FINDINGS: Final = 6
"""Findings of a kind that are in sight; the others are behind one click."""

_GROUND: Final = ("#f6f7f9", "#0f1216")
"""What is behind the page's surfaces, by day and by night."""

SECTIONS: Final = {
    "overview": "Overview",
    "rankings": "Rankings",
    "tasks": "By task",
    "tradeoff": "Score against latency",
    "memory": "Memory and life",
    "length": "Output length",
    "temperature": "Temperature",
    "spread": "Distributions",
    "drift": "Drift",
    "outputs": "Outputs",
    "cases": "All cases",
    "reproduce": "Environment",
}
"""The parts of the page, by their place in an address."""

_EARLY: Final = 'document.documentElement.classList.add("scripted");'
"""Says before anything is drawn that scripts run, so that nothing moves when they do."""

_OWN: Final = ("overview", "outputs", "cases", "reproduce")
"""Parts that hold more than charts."""


def write_html(path: Path, study: Study, *, flag: str = "--llmbench-html") -> None:
    """Put the report of *study* at *path* in one step; *flag* is how messages call it.

    Raises:
        ConfigError: *path* can't be written; what was there before is untouched.
    """
    data = html_text(study).encode("utf-8", errors="backslashreplace")
    write_file(path, data, flag=flag)


def html_text(study: Study) -> str:
    """Return the whole page."""
    from markupsafe import Markup

    bundled = vega_script()
    figures = all_figures(study)
    specifications = {figure.name: compiled(figure) for figure in figures if figure.absent is None}
    script, vega = _part("page.js"), _closed(bundled())
    columns, summary = tables.summary(study)
    good, bad = outputs.examples(study)
    names = ", ".join(one_line(name, 60) for name in study.variants)
    rendered: str = _template().render(
        title=one_line(f"llmbench: {names}", 120),
        policy=_policy(_EARLY, vega, script),
        style=Markup(_style()),  # noqa: S704 — ours, as are the scripts
        vega=Markup(vega),  # noqa: S704 — as above
        early=Markup(_EARLY),  # noqa: S704 — as above
        script=Markup(script),  # noqa: S704 — as above
        specifications=Markup(_embedded(specifications)),  # noqa: S704 — escaped for a script
        version=version("pytest-llmbench"),
        signs={kind.value: sign for kind, sign in SIGNS.items()},
        sections=tuple(SECTIONS.items()),
        plain_sections=tuple(name for name in SECTIONS if name not in _OWN),
        figures=figures,
        filters=_filters(study),
        when=surroundings.when(study),
        compared=surroundings.compared(study),
        overview=overview(study),
        most_findings=_MOST_FINDINGS,
        life=tables.life_table(study),
        summary_columns=columns,
        summary=summary,
        examples=(
            ("Good answers", good, "No answer stands out as good: none was scored well."),
            ("Bad answers", bad, "No answer is worse than the others by its score."),
        ),
        longest=f"{outputs.LONGEST:,}",
        questions=outputs.questions(study),
        case_words=tables.CASE_WORDS,
        case_columns=tables.case_columns(study),
        cases=tables.case_lines(study),
        counted_cases=plural(len(study.cases), "case"),
        sessions_facts=surroundings.session_facts(study),
        compared_variants=compared_table(study),
        variants=surroundings.variant_facts(study),
    )
    return rendered


def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


def _embedded(value: object) -> str:
    """Return *value* as JSON that can stand in a script element: no ``<`` begins anything."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _part(name: str) -> str:
    return _closed((_TEMPLATES / name).read_text(encoding="utf-8"))


def _closed(script: str) -> str:
    """Return *script*, of which nothing may end its element."""
    assert "</script" not in script.lower()
    assert "<!--" not in script
    return script


def _policy(*scripts: str) -> str:
    """Return the content security policy: these scripts, the page's own style, nothing else."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {hashes} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _style() -> str:
    """Return the style sheet, the colours of both themes before it."""
    day, night = _variables(DAY, _GROUND[0]), _variables(NIGHT, _GROUND[1])
    kinds = "".join(f".{kind.value}{{--kind:var(--{kind.value})}}" for kind in SEVERITY)
    return (
        f":root{{color-scheme:light;{day}}}"
        f"@media screen and (prefers-color-scheme:dark){{"
        f":root:not([data-theme=light]){{color-scheme:dark;{night}}}}}"
        f"@media screen{{:root[data-theme=dark]{{color-scheme:dark;{night}}}}}"
        f"{kinds}.none{{--kind:var(--muted)}}{_part('style.css')}"
    )


def _variables(theme: Theme, ground: str) -> str:
    named = {**variables(theme), "--ground": ground}
    return "".join(f"{name}:{color};" for name, color in named.items())


def _filters(study: Study) -> dict[str, list[str]]:
    """Return what can be chosen, of each property that has more than one value."""
    found: dict[str, dict[str, None]] = {name: {} for name in ("variant", "suite", "task")}
    kinds = set()
    for case in study.cases:
        tags = case_tags(case)
        for name, values in found.items():
            values[tags[name]] = None
        kinds.add(tags["verdict"])
    ordered = [kind for kind in (*map(str, SEVERITY), "not judged") if kind in kinds]
    every = {**{name: list(values) for name, values in found.items()}, "verdict": ordered}
    return {name: values for name, values in every.items() if len(values) > 1}
