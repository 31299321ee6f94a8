"""What ``llmbench doctor`` says of judging answers: similarity, and running a model's code."""

from __future__ import annotations

import importlib.util

from pytest_llmbench.domain.code_limits import CodeLimits
from pytest_llmbench.errors import ScoringError
from pytest_llmbench.probes.environment import library_versions
from pytest_llmbench.worker.sandbox import check_sandbox

_TRIAL = CodeLimits(time_s=10.0, memory_bytes=256 * 2**20)


def answer_rows() -> list[tuple[str, str]]:
    """Return what can be measured of answers here, with what to type where it can't."""
    return [("similarity", _similarity()), ("running code", _code())]


def _similarity() -> str:
    name = "sentence-transformers"
    if importlib.util.find_spec("sentence_transformers") is None:
        return f"no: {name} is not installed; type: pip install 'pytest-llmbench[similarity]'"
    version = library_versions((name,)).get(name, "")
    return f"{name} {version}; its model is loaded when a session asks for it"


def _code() -> str:
    try:
        check_sandbox(_TRIAL)
    except ScoringError as exc:
        return f"no: {exc}"
    return "yes: a program was run, shut in by Landlock and seccomp"
