"""``llmbench schema``: the JSON Schema of the configuration, or of the results."""

from __future__ import annotations

import argparse
import json

from pytest_llmbench.cli.exits import Exit
from pytest_llmbench.cli.output import say


def run(arguments: argparse.Namespace) -> Exit:
    """Print the schema, keys sorted, so that the same version prints the same bytes."""
    schema = _config() if arguments.what == "config" else _results()
    say(json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False))
    return Exit.FINE


def _config() -> object:
    from pytest_llmbench.config.json_schema import config_schema
    from pytest_llmbench.engines import engine_options

    return config_schema(engine_options())


def _results() -> object:
    from pytest_llmbench.report.json_schema import results_schema

    return results_schema()
