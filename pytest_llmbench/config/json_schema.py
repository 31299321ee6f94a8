"""The JSON Schema of ``llmbench.toml``, made from the very structs that read it."""

from __future__ import annotations

import msgspec

from pytest_llmbench.config.load import EngineOptions
from pytest_llmbench.config.tables import ConfigTable, PromptTable, SuiteTable, VariantTable
from pytest_llmbench.domain.catalogue import CATALOGUE


def config_schema(engines: EngineOptions) -> dict[str, object]:
    """Return the JSON Schema (2020-12) of a configuration with these *engines*."""
    tables: list[type[msgspec.Struct]] = [ConfigTable, SuiteTable, VariantTable, PromptTable]
    options = {name: get() for name, get in engines.items()}
    refs, components = msgspec.json.schema_components(
        [*tables, *options.values()],
        ref_template="#/$defs/{name}",
        schema_hook=lambda _: {"description": "any value"},
    )
    defs: dict[str, dict[str, object]] = {**components}
    named = [ref["$ref"].removeprefix("#/$defs/") for ref in refs]  # two engines' may be alike
    root_name, suite, variant, _prompt = named[: len(tables)]
    own = dict(zip(options, named[len(tables) :], strict=True))
    root = defs.pop(root_name)
    properties = _properties(root)
    properties["variants"] = {
        "type": "object",
        "additionalProperties": {
            "oneOf": [_variant(name, defs[variant], defs[keys]) for name, keys in own.items()]
        },
    }
    properties["suites"] = {
        "type": "object",
        "additionalProperties": {"$ref": f"#/$defs/{suite}"},
    }
    for holder in (root, defs[suite]):
        _gate_names(_properties(holder))
    for name in {variant, *own.values()}:
        del defs[name]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "title": "llmbench.toml",
        "$defs": defs,
    }


def _properties(schema: dict[str, object]) -> dict[str, object]:
    properties = schema["properties"]
    assert isinstance(properties, dict)
    return properties


def _variant(name: str, common: dict[str, object], own: dict[str, object]) -> dict[str, object]:
    """Return the schema of one variant table: the common keys and the engine's own."""
    properties = {
        **_properties(common),
        **_properties(own),
        "engine": {"const": name},
    }
    _gate_names(properties)
    required = own.get("required", [])
    assert isinstance(required, list)
    return {
        "title": f"variant under the engine {name}",
        "description": own.get("description", ""),
        "type": "object",
        "properties": properties,
        "required": ["engine", *required],
        "additionalProperties": False,
    }


def _gate_names(properties: dict[str, object]) -> None:
    """Allow only metrics of the catalogue as keys of limits and tolerance."""
    for key in ("limits", "tolerance"):
        schema = properties[key]
        assert isinstance(schema, dict)
        properties[key] = {**schema, "propertyNames": {"enum": list(CATALOGUE)}}
