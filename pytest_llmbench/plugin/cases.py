"""Which cases this run has: those of the configuration, and those that a marker asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec
import pytest

from pytest_llmbench.config import Config
from pytest_llmbench.config.gates import parse_gates
from pytest_llmbench.config.load import builtin_suite
from pytest_llmbench.config.place import Place
from pytest_llmbench.config.tables import SuiteTable, decode
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.suite import Sampling, Suite
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.plugin.marker import MarkerArguments, as_tuple
from pytest_llmbench.plugin.settings import Settings
from pytest_llmbench.runner.plan import LIFE_CYCLE, matching, suite_cases

_SWEEPS = ("max_new_tokens", "temperature", "seed")
_SUITE_KEYS = (*_SWEEPS, "length", "rounds", "warmup", "max_time_s")


def config_cases(
    config: Config, settings: Settings, variants: Sequence[str]
) -> dict[str, tuple[Case, ...]]:
    """Return the cases of every suite in scope that has any, by the suite's name.

    Raises:
        ConfigError: a glob that matches nothing, two cases of one name, a reserved name.
    """
    if LIFE_CYCLE in config.suites:
        raise ConfigError(
            f"{config.suites[LIFE_CYCLE].source}: the name {LIFE_CYCLE!r} is taken by the lives "
            "of the variants; rename the suite"
        )
    names = matching(config.suites, settings.suites, "suite", "--llmbench-suites")
    cases = {name: suite_cases(sampled(config.suites[name], settings), variants) for name in names}
    return {name: found for name, found in cases.items() if found}


def marked_cases(
    config: Config,
    settings: Settings,
    variants: Sequence[str],
    arguments: MarkerArguments,
    definition: pytest.Function,
) -> tuple[Case, ...]:
    """Return the cases that a test asks for by its marker.

    Raises:
        pytest.Collector.CollectError: the marker names what there is not, or a wrong value.
    """
    where = Place(f"{definition.name}: @pytest.mark.llmbench")
    try:
        suites = [
            sampled(_narrowed(suite, arguments, where), settings)
            for suite in _suites(config, settings, arguments, where)
        ]
        wanted = _variants(config, variants, arguments, where)
        cases = [case for suite in suites for case in suite_cases(suite, wanted)]
        prompts = _prompts(suites, arguments, where)
    except ConfigError as exc:
        raise pytest.Collector.CollectError(str(exc)) from exc
    return tuple(case for case in cases if case.prompt.id in prompts)


def marked_gates(arguments: MarkerArguments, name: str) -> Gates:
    """Return the limits and tolerances of the marker of the test *name*.

    Raises:
        pytest.Collector.CollectError: one of them is none.
    """
    where = Place(f"{name}: @pytest.mark.llmbench")
    given = {"limits": arguments.limits, "tolerance": arguments.tolerance}
    try:
        for key, table in given.items():
            if table is not None and not isinstance(table, Mapping):
                raise (where / key).error(
                    f"{table!r} is no dictionary; write for instance {key}={{'itl_s': …}}"
                )
        return parse_gates(arguments.limits or {}, arguments.tolerance or {}, where, of="case")
    except ConfigError as exc:
        raise pytest.Collector.CollectError(str(exc)) from exc


def marked_variants(
    config: Config,
    variants: Sequence[str],
    arguments: MarkerArguments,
    definition: pytest.Function,
) -> tuple[str, ...]:
    """Return the variants that a test asks for by its marker; raises as :func:`marked_cases`."""
    where = Place(f"{definition.name}: @pytest.mark.llmbench")
    try:
        return _variants(config, variants, arguments, where)
    except ConfigError as exc:
        raise pytest.Collector.CollectError(str(exc)) from exc


def sampled(suite: Suite, settings: Settings) -> Suite:
    """Return *suite* with the sampling that the command line asks for."""
    own = suite.sampling
    warmup = own.warmup
    if settings.warmup is not None:
        warmup = None if isinstance(settings.warmup, str) else settings.warmup
    rounds = own.rounds
    if settings.rounds is not None:
        rounds = None if isinstance(settings.rounds, str) else settings.rounds
    sampling = Sampling(
        rounds=rounds,
        warmup=warmup,
        max_time_s=settings.max_time_s or own.max_time_s,
    )
    return msgspec.structs.replace(suite, sampling=sampling)


def _suites(
    config: Config, settings: Settings, arguments: MarkerArguments, where: Place
) -> list[Suite]:
    names = _texts(arguments.suite, where / "suite") or tuple(config.suites)
    if not names:
        raise where.error(
            f"{config.source.name} has no suite; add [suites.exo-five] to it, or name a built-in "
            'one: suite="exo-five"'
        )
    suites = [config.suites.get(name) or builtin_suite(name, where / "suite") for name in names]
    globs = settings.suites
    return [s for s in suites if not globs or any(fnmatchcase(s.name, glob) for glob in globs)]


def _variants(
    config: Config, variants: Sequence[str], arguments: MarkerArguments, where: Place
) -> tuple[str, ...]:
    globs = _texts(arguments.variants, where / "variants")
    wanted = matching(config.variants, globs, "variant", str(where / "variants"))
    return tuple(name for name in variants if name in wanted)


def _prompts(suites: Sequence[Suite], arguments: MarkerArguments, where: Place) -> frozenset[str]:
    """Return the ids of the prompts that the marker asks for; raises as :func:`matching`."""
    known = dict.fromkeys(prompt.id for suite in suites for prompt in suite.prompts)
    globs = _texts(arguments.prompts, where / "prompts")
    return frozenset(matching(known, globs, "prompt", str(where / "prompts")) if known else ())


def _texts(value: object, place: Place) -> tuple[str, ...]:
    """Return one text or a list of them; nothing given is the empty tuple."""
    texts = as_tuple(value)
    if value is not None and (not texts or not all(isinstance(text, str) for text in texts)):
        raise place.error(f"{value!r} is neither a name nor a list of names")
    return texts


def _narrowed(suite: Suite, arguments: MarkerArguments, where: Place) -> Suite:
    """Return *suite* with the parameters that the marker gives in place of its own."""
    given = {key: getattr(arguments, key) for key in _SUITE_KEYS}
    given = {key: value for key, value in given.items() if value is not None}
    table = decode(given, SuiteTable, where)
    for key in _SWEEPS:
        if key in given and not as_tuple(getattr(table, key)):
            raise (where / key).error("the list is empty; name at least one value")
    own = suite.sampling
    warmup = table.warmup if "warmup" in given else own.warmup
    rounds = table.rounds if "rounds" in given else own.rounds
    sampling = Sampling(
        rounds=None if rounds == "auto" else rounds,
        warmup=None if warmup == "auto" else warmup,
        max_time_s=table.max_time_s or own.max_time_s,
    )
    swept = {key: as_tuple(getattr(table, key)) for key in _SWEEPS if key in given}
    length = table.length if "length" in given else suite.length
    return msgspec.structs.replace(suite, sampling=sampling, length=length, **swept)
