"""``--llmbench-strict``: what is not installed fails; without it, it skips with what to type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import DEMO_MODEL
from tests.testing.installing import search_path

CONFIG = """\
[variants.here]
engine = "scripted"

[variants.there]
engine = "transformers"
model = {model!r}
{keys}

[suites.riddle]
max_new_tokens = 4
rounds = 2
"""

HIDING = """\
import sys
from importlib import metadata

HIDDEN = {hidden!r}
whole = metadata.Distribution.from_name.__func__


def from_name(cls, name):
    if name in HIDDEN:
        raise metadata.PackageNotFoundError(name)
    return whole(cls, name)


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


metadata.Distribution.from_name = classmethod(from_name)
sys.meta_path.insert(0, Hidden())
"""
"""A sitecustomize that hides libraries from every Python that is started below."""

BROKEN = 'raise ImportError("libcudart.so.12: cannot open shared object file")\n'


def measured(
    root: Path, keys: str, *options: str, hidden: tuple[str, ...] = (), **modules: str
) -> subprocess.CompletedProcess[str]:
    """A session with one variant that can run, and one that can't."""
    site = root / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(HIDING.format(hidden=hidden))
    for name, source in modules.items():
        (site / f"{name}.py").write_text(source)
    (root / "llmbench.toml").write_text(CONFIG.format(model=DEMO_MODEL, keys=keys))
    (root / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--llmbench", "-rs", "-p", "no:cacheprovider", *options],
        cwd=root,
        env={**os.environ, "PYTHONPATH": search_path(site), "COLUMNS": "300", "CI": "1"},
        capture_output=True,
        text=True,
    )


def outcome(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.strip().splitlines()[-1]


CASES = [
    pytest.param(
        'quantization = "bnb-int8"',
        ("bitsandbytes",),
        "need bitsandbytes, which is not installed; type: pip install 'pytest-llmbench[bitsandb",
        marks=pytest.mark.engine("transformers"),
        id="what the keys need",
    ),
    pytest.param(
        "",
        ("torch", "transformers"),
        "needs torch, which is not installed; type: pip install 'pytest-llmbench[transformers]'",
        id="the engine",
    ),
]


@pytest.mark.parametrize(("keys", "hidden", "message"), CASES)
def test_what_is_not_installed_skips_or_fails(
    tmp_path: Path, keys: str, hidden: tuple[str, ...], message: str
) -> None:
    done = measured(tmp_path, keys, hidden=hidden)
    assert done.returncode == 0, done.stdout
    assert "2 passed, 2 skipped" in outcome(done)
    assert message in done.stdout
    strict = measured(tmp_path, keys, "--llmbench-strict", hidden=hidden)
    assert strict.returncode == 1, strict.stdout
    assert "2 failed, 2 passed" in outcome(strict)
    assert message in strict.stdout


@pytest.mark.engine("transformers")
@pytest.mark.parametrize("options", [(), ("--llmbench-strict",)], ids=["plain", "strict"])
def test_a_library_that_breaks_when_imported_never_passes(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = measured(tmp_path, "", *options, torch=BROKEN)
    assert done.returncode == 1
    assert "2 failed, 2 passed" in outcome(done)
    assert "libcudart.so.12: cannot open shared object file" in done.stdout
