"""Reading ``llmbench.toml`` (or ``[tool.llmbench]`` of pyproject.toml) into a :class:`Config`."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Container, Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from pytest_llmbench.config.answers import check_similarity, code_limits
from pytest_llmbench.config.gates import parse_gates
from pytest_llmbench.config.place import Place, unknown
from pytest_llmbench.config.suite_files import BUILTIN_SUITES, read_builtin, read_suite_file
from pytest_llmbench.config.tables import (
    ConfigTable,
    SamplingTable,
    SimilarityTable,
    SuiteTable,
    VariantTable,
    decode,
    keys_of,
)
from pytest_llmbench.config.whereabouts import check_host, check_python, interpreter
from pytest_llmbench.domain.code_limits import CodeLimits
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.similarity import SIMILARITY, Similarity
from pytest_llmbench.domain.suite import Prompt, Sampling, Suite
from pytest_llmbench.domain.variant import EngineKeys, Variant
from pytest_llmbench.errors import ConfigError

N = TypeVar("N", int, float)
EngineOptions = Mapping[str, Callable[[], type[EngineKeys]]]
"""For each engine's name, a function that gives the struct of the keys it takes."""

DEFAULT_SAMPLING: Final = Sampling(rounds=None, warmup=None, max_time_s=120.0)
_NAME: Final = re.compile(r"[A-Za-z0-9_][\w.+-]*")
_EXAMPLE: Final = """
[variants.base]
engine = "transformers"
model = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"

[suites.exo-five]
builtin = "exo-five"
"""


class Config(Fact, frozen=True, kw_only=True):
    """A configuration that was read and checked; *source* is its file."""

    source: Path
    reference: str | None
    keep_reference: bool
    variants: dict[str, Variant]
    suites: dict[str, Suite]
    gates: Gates
    similarity: Similarity | None = None
    code: CodeLimits | None = None


def find_config(folder: Path) -> Path | None:
    """Return the configuration that *folder* holds: llmbench.toml before pyproject.toml."""
    own = folder / "llmbench.toml"
    if own.is_file():
        return own
    shared = folder / "pyproject.toml"
    return shared if shared.is_file() and "[tool.llmbench" in shared.read_text("utf-8") else None


def load_config(
    path: Path,
    engines: EngineOptions,
    *,
    overrides: Iterable[str] = (),
    shown: str | None = None,
) -> Config:
    """Return the configuration at *path* with *overrides* (``"variants.base.model=…"``) on top.

    Args:
        path: llmbench.toml, any TOML file of its shape, or pyproject.toml.
        engines: the known engines and the keys that each takes.
        overrides: ``KEY=VALUE`` with a dotted key; VALUE is TOML, or else plain text.
        shown: how messages call the file; its name where not given.

    Raises:
        ConfigError: anything in it is wrong; the message names file, key and remedy.
    """
    place = Place(shown or path.name)
    raw = _read(path, place)
    for override in overrides:
        raw = _merged(raw, _override(override))
    table = decode(raw, ConfigTable, place)
    config = _with_similarity(
        Config(
            source=path,
            reference=table.reference,
            keep_reference=table.keep_reference,
            variants={
                name: _variant(name, raw, engines, path.parent, place / "variants" / name)
                for name, raw in table.variants.items()
            },
            suites={
                name: _suite(name, raw, table, path.parent, place / "suites" / name)
                for name, raw in table.suites.items()
            },
            gates=parse_gates(table.limits, table.tolerance, place),
            code=code_limits(table.code, place / "code"),
        ),
        table.similarity,
    )
    _check_names(config, place)
    return config


def _with_similarity(config: Config, table: SimilarityTable | None) -> Config:
    """Return *config*, in which similarity is measured where a table or any gate asks for it."""
    scopes = [
        config.gates,
        *(suite.gates for suite in config.suites.values()),
        *(variant.gates for variant in config.variants.values()),
    ]
    gated = any(SIMILARITY in gates.limits | gates.tolerances for gates in scopes)
    if table is None and not gated:
        return config
    asked = table or SimilarityTable()
    similarity = Similarity(
        model=asked.model,
        device=asked.device,
        window=asked.window,
        base_dir=config.source.parent.absolute(),
    )
    return msgspec.structs.replace(config, similarity=similarity)


def load_variants(
    path: Path,
    engines: EngineOptions,
    wanted: Container[str],
    *,
    overrides: Iterable[str] = (),
    shown: str | None = None,
) -> tuple[dict[str, Variant], tuple[str, ...]]:
    """Return those of the variants *wanted* that are at *path*, and the names of all there.

    Nothing else of the file is looked at, nor any other variant. Of *overrides* those count that
    are for a variant which the file has. Arguments and errors are as of :func:`load_config`.
    """
    place = Place(shown or path.name)
    raw = _read(path, place)
    names = tuple(_tables(raw, place))
    for override in overrides:
        raw = _merged(raw, _override(override))
    tables = _tables(raw, place)
    found = {
        name: _variant(name, tables[name], engines, path.parent, place / "variants" / name)
        for name in names
        if name in wanted
    }
    return found, names


def _tables(raw: Mapping[str, object], place: Place) -> dict[str, dict[str, object]]:
    return decode({"variants": raw.get("variants", {})}, ConfigTable, place).variants


def builtin_suite(name: str, place: Place) -> Suite:
    """Return the built-in suite *name* with every key at its default; *place* asks for it."""
    if name not in BUILTIN_SUITES:
        raise place.error(unknown(name, "suite", BUILTIN_SUITES))
    return _suite(name, {"builtin": name}, ConfigTable(), Path(), place)


def check_variants(
    config: Config, variants: Iterable[str], engines: EngineOptions, *, shown: str | None = None
) -> None:
    """Check what can be checked of these *variants* on this machine, without their engines.

    Raises:
        ConfigError: a model's folder does not exist, say, or the interpreter.
    """
    whole = Place(shown or config.source.name)
    check_similarity(config.similarity, whole / "similarity")
    place = whole / "variants"
    for name in variants:
        variant = config.variants[name]
        check_python(variant, place / name / "python")
        if variant.host is not None:
            continue  # the paths are those of another machine
        keys = msgspec.convert(variant.options, engines[variant.engine]())
        problem = keys.problem(variant.base_dir)
        if problem is not None:
            raise (place / name / problem[0]).error(problem[1])


def _read(path: Path, place: Place) -> dict[str, object]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise place.error(
            f"can't read it: {exc.strerror}; correct --llmbench-config or write the file, e.g."
            f"\n{_EXAMPLE}"
        ) from exc
    except UnicodeDecodeError as exc:
        raise place.error("not UTF-8 text; save it as UTF-8") from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise place.error(f"not valid TOML: {exc}") from exc
    if path.name != "pyproject.toml":
        return raw
    tool = raw.get("tool", {}).get("llmbench")
    if not isinstance(tool, dict):
        raise place.error(f"it has no [tool.llmbench] table; add one, e.g.\n{_EXAMPLE}")
    return tool


def _override(text: str) -> dict[str, object]:
    """Return ``a.b=value`` as ``{"a": {"b": value}}``."""
    place = Place(f"--llmbench-set {text}")
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise place.error("write KEY=VALUE, such as variants.base.model=models/other")
    for candidate in (value, json.dumps(value)):
        try:
            return tomllib.loads(f"{key} = {candidate}")
        except tomllib.TOMLDecodeError:
            continue
    raise place.error(f"{key!r} is not a dotted key; quote parts that hold dots or spaces")


def _merged(base: Mapping[str, object], top: Mapping[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        merged[key] = _merged(below, value) if both else value  # type: ignore[arg-type]  # checked
    return merged


def _variant(
    name: str, raw: Mapping[str, object], engines: EngineOptions, base_dir: Path, place: Place
) -> Variant:
    engine = raw.get("engine")
    if not isinstance(engine, str):
        raise place.error(f'the key engine is missing; write engine = "{next(iter(engines))}"')
    if engine not in engines:
        raise (place / "engine").error(unknown(engine, "engine", engines))
    options_type = _keys_of(engines[engine], place / "engine")
    common_keys, option_keys = keys_of(VariantTable), keys_of(options_type)
    for key in raw:
        if key not in common_keys and key not in option_keys:
            raise place.error(unknown(key, "key", (*common_keys, *option_keys)))
    own = {key: value for key, value in raw.items() if key in option_keys}
    check_host(raw.get("host"), place / "host")
    table = decode({key: raw[key] for key in raw if key in common_keys}, VariantTable, place)
    options = decode(own, options_type, place)
    return Variant(
        id=name,
        engine=engine,
        options=msgspec.to_builtins(options),
        base_dir=base_dir.absolute(),
        python=interpreter(table, base_dir),
        host=table.host,
        load_timeout_s=table.load_timeout_s,
        round_timeout_s=table.round_timeout_s,
        gates=parse_gates(table.limits, table.tolerance, place),
    )


def _keys_of(keys: Callable[[], type[EngineKeys]], place: Place) -> type[EngineKeys]:
    """Return the struct of an engine's keys; that of a broken engine raises where it is used."""
    try:
        return keys()
    except ConfigError as exc:
        raise place.error(str(exc)) from exc


def _suite(
    name: str, raw: Mapping[str, object], config: ConfigTable, base_dir: Path, place: Place
) -> Suite:
    table = decode(raw, SuiteTable, place)
    return Suite(
        name=name,
        source=str(place),
        prompts=_suite_prompts(name, table, base_dir, place),
        variants=table.variants,
        max_new_tokens=_sweep(table.max_new_tokens, place / "max_new_tokens"),
        temperature=_sweep(table.temperature, place / "temperature"),
        seed=_sweep(table.seed, place / "seed"),
        top_p=table.top_p,
        top_k=table.top_k,
        length=table.length,
        chat=table.chat,
        sampling=_sampling(config, table),
        gates=parse_gates(table.limits, table.tolerance, place, of="case"),
    )


def _suite_prompts(
    name: str, table: SuiteTable, base_dir: Path, place: Place
) -> tuple[Prompt, ...]:
    if table.path is not None and table.builtin is not None:
        raise place.error("path and builtin are both given; keep one of them")
    if table.path is not None:
        return read_suite_file(base_dir / table.path, place / "path")
    if table.builtin is None and name not in BUILTIN_SUITES:
        raise place.error(
            'it has no prompts; write path = "prompts.toml" or builtin = "exo-five"'
            f" (built-in: {', '.join(BUILTIN_SUITES)})"
        )
    return read_builtin(table.builtin or name, place / "builtin")


def _sweep(value: N | tuple[N, ...], place: Place) -> tuple[N, ...]:
    values = value if isinstance(value, tuple) else (value,)
    if not values:
        raise place.error("the list is empty; name at least one value")
    twice = next((item for item in values if values.count(item) > 1), None)
    if twice is not None:
        raise place.error(f"{twice!r} is listed twice; keep it once")
    return values


def _sampling(config: ConfigTable, suite: SuiteTable) -> Sampling:
    return _narrowed(_narrowed(DEFAULT_SAMPLING, config), suite)


def _narrowed(sampling: Sampling, table: SamplingTable) -> Sampling:
    warmup = sampling.warmup if table.warmup is None else table.warmup
    rounds = sampling.rounds if table.rounds is None else table.rounds
    return Sampling(
        rounds=None if rounds == "auto" else rounds,
        warmup=None if warmup == "auto" else warmup,
        max_time_s=table.max_time_s or sampling.max_time_s,
    )


def _check_names(config: Config, place: Place) -> None:
    _check_spelling(config.variants, place / "variants")
    _check_spelling(config.suites, place / "suites")
    if not config.variants:
        raise place.error(f"it names no variant to measure; add one, e.g.\n{_EXAMPLE}")
    if config.reference is not None and config.reference not in config.variants:
        raise (place / "reference").error(unknown(config.reference, "variant", config.variants))
    for suite in config.suites.values():
        _check_globs(suite, config.variants)


def _check_spelling(names: Iterable[str], place: Place) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise place.error(
                f"the name {name!r} may hold letters, digits and . _ - + only; rename it"
            )


def _check_globs(suite: Suite, variants: Iterable[str]) -> None:
    for glob in suite.variants:
        if not any(fnmatchcase(name, glob) for name in variants):
            raise Place(suite.source, "variants").error(
                f"{glob!r} matches no variant (there are: {', '.join(variants)})"
            )
