"""``llmbench schema``: the JSON Schema of the configuration, or of the results."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable

from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.output import say
from pytest_llmbench.config import EngineOptions
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.errors import ConfigError


def run(arguments: argparse.Namespace) -> Exit:
    """Print the schema, keys sorted, so that the same version prints the same bytes."""
    schema = _config() if arguments.what == "config" else _results()
    say(json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False))
    return Exit.FINE


def _config() -> object:
    from pytest_llmbench.config.json_schema import config_schema

    return config_schema(_usable_engines())


def _usable_engines() -> EngineOptions:
    """Return the engines that have keys; says of those of other packages that are broken."""
    from pytest_llmbench.engines import engine_options

    usable: dict[str, Callable[[], type[EngineKeys]]] = {}
    for name, keys in engine_options().items():
        try:
            keys()
        except ConfigError as exc:
            sys.stderr.write(f"llmbench: left out: {exc}\n")
        else:
            usable[name] = keys
    return usable


def _results() -> object:
    from pytest_llmbench.report.json_schema import results_schema

    return results_schema()
