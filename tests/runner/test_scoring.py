"""Scorers that run something: a function of the user's, a model's code."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from pytest_llmbench.domain.code_limits import CodeLimits
from pytest_llmbench.domain.suite import Message, Prompt
from pytest_llmbench.errors import ConfigError, ScoringError
from pytest_llmbench.runner.scoring import Scoring, code_of

LIMITS = CodeLimits(time_s=5.0, memory_bytes=256 * 2**20)


def prompt(score: str, expect: str | None = None, scorer: str | None = None) -> Prompt:
    return Prompt(
        id="p",
        messages=(Message(role="user", content="Name two rivers."),),
        task=None,
        expect=expect,
        score=score,  # type: ignore[arg-type]
        source="suite.toml: prompts[1]",
        scorer=scorer,
    )


@pytest.fixture
def scorers(tmp_path: Path) -> Path:
    path = tmp_path / "scoring.py"
    path.write_text(
        textwrap.dedent("""
            calls = []

            def share(text, prompt):
                calls.append(text)
                wanted = prompt.expect.split()
                return sum(word in text for word in wanted) / len(wanted)

            def strict(text, prompt):
                return "rivers" in prompt.text and text == "Rhine"

            def broken(text, prompt):
                return 1 / 0

            def beyond(text, prompt):
                return 3

            def nan(text, prompt):
                return float("nan")

            def text(text, prompt):
                return "1"

            def none(text, prompt):
                return None

            def numpy_bool(text, prompt):
                import numpy
                return numpy.array([1.0, 2.0]).max() > 1

            nothing = 3
        """)
    )
    return path


def test_a_function_scores_with_what_was_asked(scorers: Path) -> None:
    scoring = Scoring()
    rivers = prompt("python", "Rhine Loire", f"{scorers}:share")
    scoring.check([rivers])
    assert scoring(rivers, "The Rhine.") == 0.5
    assert scoring(rivers, "Rhine and Loire") == 1.0
    strict = prompt("python", None, f"{scorers}:strict")
    assert (scoring(strict, "Rhine"), scoring(strict, "Po")) == (1.0, 0.0)


def test_a_text_is_scored_once(scorers: Path) -> None:
    scoring, rivers = Scoring(), prompt("python", "Rhine", f"{scorers}:share")
    assert [scoring(rivers, text) for text in ("Rhine", "Po", "Rhine")] == [1.0, 0.0, 1.0]
    assert scoring._modules[str(scorers)].calls == ["Rhine", "Po"]


def test_a_function_of_a_module(monkeypatch: pytest.MonkeyPatch, scorers: Path) -> None:
    monkeypatch.syspath_prepend(scorers.parent)
    scoring, strict = Scoring(), prompt("python", None, "scoring:strict")
    scoring.check([strict])
    assert scoring(strict, "Rhine") == 1.0


def test_another_text_of_a_scorer_has_another_digest(scorers: Path) -> None:
    def sources() -> dict[str, str]:
        scoring = Scoring()
        scoring.check([prompt("python", None, f"{scorers}:strict"), prompt("exact", "Po")])
        return scoring.sources

    assert Scoring().sources == {}
    before = sources()
    assert list(before) == ["scorer scoring.py"]
    assert sources() == before
    scorers.write_text(scorers.read_text() + "\n# stricter\n")
    assert sources() != before


def test_numpy_s_truth_is_truth(scorers: Path) -> None:
    assert Scoring()(prompt("python", None, f"{scorers}:numpy_bool"), "x") == 1.0


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "broken raised ZeroDivisionError: division by zero"),
        ("beyond", "beyond returned 3; return True, False, or a number from 0 to 1"),
        ("nan", "nan returned nan; return True"),
        ("text", "text returned '1'; return True"),
        ("none", "none returned None; return True"),
    ],
)
def test_a_function_that_fails_is_named(scorers: Path, name: str, said: str) -> None:
    with pytest.raises(ScoringError, match=said):
        Scoring()(prompt("python", None, f"{scorers}:{name}"), "x")


@pytest.mark.parametrize(
    ("scorer", "said"),
    [
        ("{folder}/none.py:share", "there is no .*none.py; correct it"),
        ("{folder}/scoring.py:absent", r"has no absent\(text, prompt\)"),
        ("{folder}/scoring.py:nothing", r"has no nothing\(text, prompt\)"),
        ("{folder}/wrong.py:share", "can't be imported: SyntaxError"),
        ("no.such.module:share", "can't be imported: ModuleNotFoundError: No module named 'no'"),
    ],
)
def test_what_can_t_be_imported_is_said_before_anything_is_measured(
    scorers: Path, scorer: str, said: str
) -> None:
    scorers.with_name("wrong.py").write_text("def share(:")
    with pytest.raises(ConfigError, match=said):
        Scoring().check([prompt("python", None, scorer.format(folder=scorers.parent))])


@pytest.mark.engine("code")
def test_code_is_run_where_that_is_allowed() -> None:
    scoring, add = Scoring(LIMITS), prompt("code", "assert add(2, 3) == 5")
    scoring.check([add])
    answer = "Here:\n```python\ndef add(a, b):\n    return a {} b\n```\nIt adds."
    assert scoring(add, answer.format("+")) == 1.0
    assert scoring(add, answer.format("-")) == 0.0
    assert scoring(add, "I don't know.") == 0.0


def test_code_is_not_run_unless_allowed() -> None:
    add = prompt("code", "assert True")
    with pytest.raises(ConfigError, match=r"nobody allowed; write the table \[code\]"):
        Scoring().check([add])
    with pytest.raises(ScoringError, match="not allowed"):
        Scoring()(add, "1")


def test_code_that_can_t_be_shut_in_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_llmbench.worker.sandbox.sys.platform", "win32")
    with pytest.raises(ConfigError, match=r"can't shut in code .* takes Linux"):
        Scoring(LIMITS).check([prompt("code", "assert True")])


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("```python\nx = 1\n```", "x = 1\n"),
        ("```py\nx = 1\n```\nand\n```py\ny = 2\n```", "x = 1\n\ny = 2\n"),
        ("```bash\npip install x\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```python\nx = 1", "x = 1"),
        ("```python title=a.py\nx = '``'\n```", "x = '``'\n"),
        ("```\n$ run\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```json\n{}\n```", "```json\n{}\n```"),
        ("- so:\n  ```python\n  x = 1\n  ```", "x = 1\n"),
    ],
)
def test_the_code_of_an_answer(text: str, code: str) -> None:
    assert code_of(text) == code
