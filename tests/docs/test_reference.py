"""The reference pages say what the code says: no more keys, no fewer, the same defaults."""

from __future__ import annotations

import re

import msgspec
import pytest

import pytest_llmbench
from pytest_llmbench.config import BUILTIN_SUITES, read_builtin
from pytest_llmbench.config.load import DEFAULT_SAMPLING
from pytest_llmbench.config.place import Place
from pytest_llmbench.config.tables import (
    CodeTable,
    ConfigTable,
    PromptTable,
    SamplingTable,
    SimilarityTable,
    SuiteTable,
    VariantTable,
    keys_of,
)
from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.verdict import VerdictKind
from pytest_llmbench.engines.registry import BUILT_IN
from pytest_llmbench.plugin.marker import ALLOWED
from pytest_llmbench.plugin.options import OPTIONS, POLICIES, Option
from tests.docs.pages import DOCS, code, fences, rows, section
from tests.docs.reference import case_table, variant_table

CONFIG, METRICS, VERDICTS, CI = (
    DOCS / f"{name}.md" for name in ("config", "metrics", "verdicts", "ci")
)
TABLES = {
    "Top level": ConfigTable,
    "Variants": VariantTable,
    "Suites": SuiteTable,
    "transformers": BUILT_IN["transformers"].options_type(),
    "llama-cpp": BUILT_IN["llama-cpp"].options_type(),
    "mlx": BUILT_IN["mlx"].options_type(),
    "openai": BUILT_IN["openai"].options_type(),
    "ollama": BUILT_IN["ollama"].options_type(),
    "scripted": BUILT_IN["scripted"].options_type(),
    "Similarity": SimilarityTable,
    "Code": CodeTable,
    "Suite files": PromptTable,
}


def keys_in(heading: str) -> list[list[str]]:
    """The rows of the section's table of keys: those of four cells."""
    return [row for row in rows(section(CONFIG, heading)) if len(row) == 4]


@pytest.mark.parametrize(("heading", "table"), TABLES.items())
def test_keys(heading: str, table: type[msgspec.Struct]) -> None:
    assert [code(row[0]) for row in keys_in(heading)] == list(keys_of(table))


@pytest.mark.parametrize(("heading", "table"), TABLES.items())
def test_defaults(heading: str, table: type[msgspec.Struct]) -> None:
    sampling = keys_of(SamplingTable) if table in (ConfigTable, SuiteTable) else ()
    fields = {field.encode_name: field for field in msgspec.structs.fields(table)}
    for name, _, default, _ in keys_in(heading):
        if code(name) not in (*sampling, "id"):
            assert default == shown(fields[code(name)]), name


def test_defaults_of_sampling() -> None:
    written = {code(name): default for name, _, default, _ in keys_in("Top level")}
    assert written["max_time_s"] == f"{DEFAULT_SAMPLING.max_time_s:g}"
    assert DEFAULT_SAMPLING.rounds is DEFAULT_SAMPLING.warmup is None
    assert written["rounds"] == written["warmup"] == '`"auto"`'


def shown(field: msgspec.structs.FieldInfo) -> str:
    """A field's default as the page writes it."""
    default = field.default
    if field.required:
        return "required"
    if field.default_factory is not msgspec.NODEFAULT or default in (None, ()):
        return "–"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`[{', '.join(_quoted(item) for item in default)}]`"
    return f"`{_quoted(default)}`" if isinstance(default, str) else f"{default:g}"


def _quoted(text: str) -> str:
    return f'"{text}"'


def test_options() -> None:
    written = rows(section(CONFIG, "Command line and ini file"))
    assert [(code(row[0]), code(row[1])) for row in written] == [
        (typed(option), option.key) for option in OPTIONS
    ]


def typed(option: Option) -> str:
    """An option as the page writes it: with its value."""
    if option.kind == "switch":
        return option.flag
    if option.kind == "policy":
        return f"{option.flag}={'|'.join(POLICIES)}"
    if option.kind == "optional":
        return f"{option.flag}[={option.metavar}]"
    return f"{option.flag}{' ' if option.name == 'set' else '='}{option.metavar}"


def test_marker_arguments() -> None:
    assert [code(row[0]) for row in rows(section(CONFIG, "Marker"))] == list(ALLOWED)


def test_pages_name_no_option_that_does_not_exist() -> None:
    known = {option.flag for option in OPTIONS}
    for page in DOCS.glob("*.md"):
        for flag in re.findall(r"--llmbench[a-z-]*", page.read_text("utf-8")):
            assert flag.rstrip("-") in known, f"{page.name}: {flag}"


def test_errors_are_those_that_are_public() -> None:
    named = set(re.findall(r"`(\w+Error)`", section(CONFIG, "Errors")))
    assert named == {name for name in pytest_llmbench.__all__ if name.endswith("Error")}


def test_results_have_what_the_page_says() -> None:
    for heading, names in {
        "llmbench": ("Result", "Value"),
        "llmbench_variant": ("LoadedVariant", "Answer"),
    }.items():
        text = section(CONFIG, heading)
        for name in names:
            assert f"**{name}**" in text
            cls = getattr(pytest_llmbench, name)
            public = {n for n, kind in vars(cls).items() if n[0] != "_" and isinstance(n, str)}
            assert all(f"`{n}" in text for n in public), (name, public)


def test_metric_tables() -> None:
    text = METRICS.read_text("utf-8")
    assert case_table() in text
    assert variant_table() in text


def test_every_metric_is_defined() -> None:
    defined = {
        name
        for heading in ("Definitions", "Of a variant")
        for row in rows(section(METRICS, heading))
        if len(row) == 2
        for name in re.findall(r"`([\w…]+)`", row[0])
    }
    plain = {name for name in CATALOGUE if not name.startswith("system_ram_")}
    assert defined == {*plain, "system_ram_…_bytes"}


def test_every_verdict_is_there() -> None:
    written = [row[0] for row in rows(section(VERDICTS, "All verdicts"))]
    assert written == [kind.value for kind in VerdictKind]


def test_builtin_suites() -> None:
    written = {code(row[0]): row[1] for row in rows(section(CONFIG, "Suites")) if len(row) == 3}
    assert written == {name: str(len(read_builtin(name, Place("page")))) for name in BUILTIN_SUITES}


def test_ci_names_the_strict_flags() -> None:
    flags = "--llmbench-strict --llmbench-missing=fail --llmbench-inconclusive=warn"
    assert all(flags in fence.text for fence in fences(CI, "yaml"))
