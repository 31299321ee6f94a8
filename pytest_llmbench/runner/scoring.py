"""How right an answer is: by a scorer of ours, a function of the user's, or by running it.

Each text of a prompt is scored once, between bouts, when nothing is being timed.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import math
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from pytest_llmbench.domain.code_limits import CodeLimits
from pytest_llmbench.domain.suite import Prompt
from pytest_llmbench.errors import ConfigError, ScoringError
from pytest_llmbench.metrics.score import score
from pytest_llmbench.worker.sandbox import check_sandbox, run_code

Function = Callable[[str, Prompt], Any]
"""A scorer of the user's: of an answer and what was asked; True, False, or 0 to 1."""

_FENCE: Final = re.compile(
    r"^[ \t]*```[ \t]*(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)(?:^[ \t]*```|\Z)",
    re.DOTALL | re.MULTILINE,
)
_DIGITS: Final = 12
"""Of a digest that says whether a file is another one."""

_PYTHON: Final = ("py", "python", "python3")


class Scoring:
    """Scores answers, and remembers what it found.

    Args:
        code: what code of a model's may use up; ``None`` where nobody allowed that any is run.
    """

    def __init__(self, code: CodeLimits | None = None) -> None:
        self._code = code
        self._modules: dict[str, Any] = {}
        self._found: dict[tuple[Prompt, str], float | None] = {}

    def check(self, prompts: Iterable[Prompt]) -> None:
        """Return where all of *prompts* can be scored.

        Raises:
            ConfigError: a function of the user's can't be imported, or code can't be run.
        """
        runs = False
        for prompt in prompts:
            if prompt.scorer is not None:
                self._function(prompt)
            runs = runs or prompt.score == "code"
            score(prompt, "null")  # an expected answer that its scorer can't read
            if prompt.score == "code" and self._code is None:
                raise ConfigError(
                    f"{prompt.source}: prompt {prompt.id!r} is scored by running what the model "
                    "writes, which nobody allowed; write the table [code] in the configuration (it "
                    "may be empty): the code is shut in and bounded"
                )
        if runs and self._code is not None:
            try:
                check_sandbox(self._code)
            except ScoringError as exc:
                raise ConfigError(str(exc)) from exc

    @property
    def sources(self) -> dict[str, str]:
        """Of the user's scorers that were looked at, each file with the digest of its text."""
        found: dict[str, list[bytes]] = {}
        for _, module in sorted(self._modules.items()):
            path = Path(getattr(module, "__file__", None) or "")
            if path.is_file():
                found.setdefault(f"scorer {path.name}", []).append(path.read_bytes())
        return {
            name: hashlib.sha256(b"\0".join(texts)).hexdigest()[:_DIGITS]
            for name, texts in found.items()
        }

    def __call__(self, prompt: Prompt, text: str) -> float | None:
        """Return how right *text* is, 0 to 1; ``None`` where nothing is expected of it.

        Raises:
            ScoringError: a function of the user's failed, or code can't be shut in.
        """
        key = prompt, text
        if key not in self._found:
            self._found[key] = self._scored(prompt, text)
        return self._found[key]

    def _scored(self, prompt: Prompt, text: str) -> float | None:
        if prompt.score == "python":
            return self._by_function(prompt, text)
        if prompt.score == "code":
            return self._by_running(prompt, text)
        return score(prompt, text)

    def _by_function(self, prompt: Prompt, text: str) -> float:
        try:
            found = self._function(prompt)(text, prompt)
        except Exception as exc:  # the user's own code may raise anything
            raise ScoringError(f"{_of(prompt)} raised {type(exc).__name__}: {exc}") from exc
        try:
            share = math.nan if isinstance(found, str) else float(found)
        except (TypeError, ValueError):
            share = math.nan
        if not 0 <= share <= 1:
            raise ScoringError(
                f"{_of(prompt)} returned {found!r}; return True, False, or a number from 0 to 1"
            )
        return share

    def _by_running(self, prompt: Prompt, text: str) -> float:
        if self._code is None:
            raise ScoringError(f"{prompt.source}: running code was not allowed by a table [code]")
        test = "" if prompt.expect is None else str(prompt.expect)
        return float(run_code(code_of(text), test, self._code).passed)

    def _function(self, prompt: Prompt) -> Function:
        assert prompt.scorer is not None, "the configuration holds it"
        home, _, name = prompt.scorer.rpartition(":")
        if home not in self._modules:
            self._modules[home] = _imported(home, _of(prompt))
        function: Function | None = getattr(self._modules[home], name, None)
        if not callable(function):
            raise ConfigError(f"{_of(prompt)} is no function: {home} has no {name}(text, prompt)")
        return function


def code_of(text: str) -> str:
    """Return the Python in *text*: of its fences those called so, all together.

    Without such a name those without any name, and without any fence the whole text.
    """
    fenced = [
        (found["language"].casefold() in _PYTHON, textwrap.dedent(found["code"]))
        for found in _FENCE.finditer(text)
        if found["language"].casefold() in ("", *_PYTHON)
    ]
    named = [code for is_named, code in fenced if is_named]
    return "\n".join(named or [code for _, code in fenced]) if fenced else text


def _of(prompt: Prompt) -> str:
    return f"{prompt.source}: prompt {prompt.id!r}: its scorer {prompt.scorer}"


def _imported(home: str, called: str) -> Any:
    """Return the module or file *home*; messages call its function *called*."""
    if home.endswith(".py") and not Path(home).is_file():
        raise ConfigError(f"{called} is in no file: there is no {home}; correct it")
    try:
        return _of_file(Path(home)) if home.endswith(".py") else importlib.import_module(home)
    except (Exception, SystemExit) as exc:  # importing the user's own code may raise anything
        raise ConfigError(
            f"{called} can't be imported: {type(exc).__name__}: {exc}; correct it, or write "
            "FILE.py:NAME or MODULE:NAME"
        ) from exc


def _of_file(path: Path) -> Any:
    where = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"llmbench_scorer_{path.stem}_{where}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "its name ends in .py"
    assert spec.loader is not None, "as above"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as for any import: dataclasses look there
    spec.loader.exec_module(module)
    return module
