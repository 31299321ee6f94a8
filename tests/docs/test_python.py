"""Every test on a page passes, in a project with scripted variants of the names it uses."""

from __future__ import annotations

import pytest

# pytester forgets what an inner run imports; numpy can't be imported twice in one process.
import pytest_llmbench.plugin.hooks
import pytest_llmbench.report.table  # noqa: F401
from tests.docs.pages import Fence, fences_of_all

CONFIG = """
[variants.base]
engine = "scripted"
text = "Paris, said the script."

[variants.tuned]
engine = "scripted"
text = "Paris, said the script, and not Rome."

[variants.bfloat16]
engine = "scripted"
text = "Paris or Rome."

[suites.support]
path = "suite.toml"
rounds = 2

[suites.questions]
path = "suite.toml"
rounds = 2
"""

SUITE = """
[[prompts]]
id = "capital-france"
prompt = "What is the capital of France?"
"""


@pytest.mark.parametrize("fence", fences_of_all("python"), ids=str)
def test_tests_pass(
    fence: Fence, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    (pytester.path / "llmbench.toml").write_text(CONFIG)
    (pytester.path / "suite.toml").write_text(SUITE)
    (pytester.path / "test_page.py").write_text(fence.text, encoding="utf-8")
    result = pytester.runpytest("--llmbench", "-p", "no:cacheprovider", "test_page.py")
    counted = result.parseoutcomes()
    assert counted.get("passed", 0) >= fence.text.count("def test_") > 0
    assert set(counted) == {"passed"}


def test_there_are_some() -> None:
    assert len(fences_of_all("python")) >= 4
