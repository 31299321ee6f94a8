"""``llmbench list``: what there is to measure, and what was kept of measuring it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from pytest_llmbench.baselines.store import Store
from pytest_llmbench.cli.configuration import (
    TO_BEGIN,
    Found,
    as_typed,
    baselines_folder,
    look_for_config,
)
from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.output import heading, say, say_table
from pytest_llmbench.config import BUILTIN_SUITES, read_builtin
from pytest_llmbench.config.place import Place
from pytest_llmbench.domain.secret import without_secrets
from pytest_llmbench.domain.suite import Prompt, Suite
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import EngineEntry, engines
from pytest_llmbench.engines.registry import discovered
from pytest_llmbench.runner.plan import suite_cases
from pytest_llmbench.verdict.words import plural

_NOTHING_SET: Final[tuple[object, ...]] = (None, (), {}, [])


def run(arguments: argparse.Namespace) -> Exit:
    """List everything."""
    found = look_for_config(arguments.config)
    if found is None:
        _say_beginning()
    else:
        _say_config(found)
    _say_builtin()
    _say_baselines(Store(baselines_folder(arguments.baselines, found)))
    return Exit.FINE


def prompt_source(suite: Suite) -> str:
    """Return the file that the suite's prompts come from, or ``built-in suite NAME``."""
    return as_typed(Path(suite.prompts[0].source.rpartition(": ")[0]))


def task_counts(prompts: Iterable[Prompt]) -> str:
    """Return the tasks and how often each is asked: ``2 qa, 3 coding``."""
    tasks = [prompt.task or "no task" for prompt in prompts]
    return ", ".join(f"{tasks.count(task)} {task}" for task in dict.fromkeys(tasks))


def what_was_set(variant: Variant) -> dict[str, object]:
    """Return the engine's keys that have a value, the model's first."""
    shown = without_secrets(variant.options)
    assert isinstance(shown, dict), "a mapping stays one"
    own = {k: v for k, v in shown.items() if v not in _NOTHING_SET and v is not False}
    return {**({"model": own["model"]} if "model" in own else {}), **own}


def _say_beginning() -> None:
    say("no configuration here (llmbench.toml, or [tool.llmbench] in pyproject.toml)")
    say(TO_BEGIN)
    heading("engines")
    say_table((name, _origin(name, entry)) for name, entry in engines().items())


def _origin(name: str, entry: EngineEntry) -> str:
    """Return the line that installs an engine's libraries; whose it is where it needs none."""
    package = discovered().packages.get(name)
    own = f"of {package}" if package else "built in: plays a script, for tests"
    return entry.install or own


def _say_config(found: Found) -> None:
    config = found.config
    counts = (plural(len(config.variants), "variant"), plural(len(config.suites), "suite"))
    say(f"{found.shown}: {' and '.join(counts)}")
    heading("variants")
    say_table(
        (name, variant.engine, _settings(variant), "reference" * (name == config.reference))
        for name, variant in config.variants.items()
    )
    heading("suites")
    if not config.suites:
        say("  none; add one, such as [suites.exo-five]")
    say_table(_suite_row(suite, config.variants) for suite in config.suites.values())


def _settings(variant: Variant) -> str:
    own = what_was_set(variant)
    model = [str(own.pop("model"))] if "model" in own else []
    defaults = _defaults(variant)
    return ", ".join([*model, *(f"{k} = {v}" for k, v in own.items() if v != defaults.get(k))])


def _defaults(variant: Variant) -> dict[str, object]:
    """Return the values that the engine's keys have without being written."""
    import msgspec

    fields = msgspec.structs.fields(engines()[variant.engine].options_type())
    return {field.encode_name: field.default for field in fields}


def _suite_row(suite: Suite, variants: Iterable[str]) -> tuple[str, ...]:
    each = {name: len(suite_cases(suite, [name])) for name in variants}
    those = [name for name, count in each.items() if count]
    cases = plural(max(each.values()), "case")
    whom = "each variant" if len(those) == len(each) else ", ".join(those)
    prompts = plural(len(suite.prompts), "prompt")
    return suite.name, prompt_source(suite), prompts, sweep(suite), f"{cases} for {whom}"


def sweep(suite: Suite) -> str:
    """Return the parameters that the suite sweeps over, as a user would write them."""
    parts = [
        f"max_new_tokens {_values(suite.max_new_tokens)}",
        f"temperature {_values(suite.temperature)}",
        *([f"seed {_values(suite.seed)}"] if suite.seed != (0,) else []),
        f"rounds {suite.sampling.rounds or 'auto'}",
    ]
    return ", ".join(parts)


def _values(values: Iterable[float]) -> str:
    return "|".join(f"{value:g}" for value in values)


def _say_builtin() -> None:
    heading("built-in suites")
    say_table(_builtin_rows())


def _builtin_rows() -> Iterator[tuple[str, ...]]:
    for name in BUILTIN_SUITES:
        prompts = read_builtin(name, Place("llmbench list"))
        yield name, plural(len(prompts), "prompt"), task_counts(prompts)


def _say_baselines(store: Store) -> None:
    heading(f"baselines in {as_typed(store.root)}")
    rows = list(_baseline_rows(store))
    if not rows:
        say("  none yet; to keep a session, type: pytest --llmbench --llmbench-save")
    say_table(rows)


def _baseline_rows(store: Store) -> Iterator[tuple[str, ...]]:
    for machine in store.machines():
        for name in store.names(machine):
            baseline = store.read(machine, name)
            kept = baseline.sessions if baseline else ()
            newest = f"newest {kept[-1].saved_at}" if kept else ""
            yield machine, name, plural(len(kept), "session"), newest
