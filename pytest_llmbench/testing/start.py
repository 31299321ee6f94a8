"""Promises about an engine's start: where it is, what it imports, says, and refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

import pytest

from pytest_llmbench.engines import engine_entry
from pytest_llmbench.errors import ConfigError, LoadError
from pytest_llmbench.testing.subject import Subject
from pytest_llmbench.testing.terms import Terms, promise, promise_translated

_IMPORTS: Final = """\
import importlib, importlib.metadata, json, sys
before = set(sys.modules)
importlib.import_module({module!r})
tops = {{name.partition(".")[0] for name in set(sys.modules) - before}}
of = importlib.metadata.packages_distributions()
print(json.dumps(sorted({{dist for top in tops for dist in of.get(top, ())}})))
"""
"""A program that prints the distributions that importing an engine's module has imported."""


class StartPromises(Terms):
    """What has to hold until a model is loaded."""

    def test_it_is_registered_with_what_it_is(self, subject: Subject) -> None:
        """Adapter and keys are where the entry says."""
        entry = engine_entry(subject.variant.engine)
        try:
            entry.options_type()
            engine = entry.create()
        except ConfigError as exc:
            pytest.fail(str(exc), pytrace=False)
        methods = ("start", "load", "encode", "generate", "free")
        missing = [name for name in methods if not callable(getattr(engine, name, None))]
        promise(not missing, f"{entry.module}.{entry.adapter} has no {', '.join(missing)}")

    def test_importing_its_module_imports_no_library(self, subject: Subject) -> None:
        """The session reads the engine's keys in pytest's own process, which stays light."""
        entry = engine_entry(subject.variant.engine)
        done = subprocess.run(  # noqa: S603 — this Python, a program of this file, no shell
            [sys.executable, "-c", _IMPORTS.format(module=entry.module)],
            capture_output=True,
            text=True,
            check=False,
        )
        promise(done.returncode == 0, f"{entry.module} can't be imported:\n{done.stderr}")
        imported = json.loads(done.stdout.splitlines()[-1])
        heavy = [name for name in entry.recorded if name in imported]
        promise(
            not heavy,
            f"importing {entry.module} imports {', '.join(heavy)}; import it in start or load",
        )

    def test_a_model_that_cannot_be_loaded_is_a_load_error(self, subject: Subject) -> None:
        """In words of the engine's."""
        if self.broken_options is None:
            pytest.skip("broken_options is not given")
        broken = self._described(self.broken_options, subject.variant.base_dir)
        try:
            subject.load_other(broken)
        except LoadError as exc:
            promise_translated(exc)
        else:
            pytest.fail("broken_options were loaded; name a model that can't be", pytrace=False)

    def test_the_model_s_facts_are_complete(self, subject: Subject) -> None:
        """What must be equal for results to compare is said; sizes are sizes."""
        facts = subject.facts
        promise(bool(facts.identity), "facts.identity is empty; say what the model is")
        for name, value in {**facts.identity, **facts.settings}.items():
            promise(
                bool(name and value), f"facts have {name!r} = {value!r}; say it or leave it out"
            )
        promise(
            facts.model_bytes is None or facts.model_bytes > 0,
            f"model_bytes = {facts.model_bytes}; write None where it is not known",
        )
        promise(
            facts.context_tokens is None or facts.context_tokens > 0,
            f"context_tokens = {facts.context_tokens}; write None where it has no limit",
        )
        promise(bool(facts.device), "facts.device is empty; say where the weights are")
