"""What the self-test measures: a few short cases of the configuration, or real work of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from pytest_llmbench.config import Config, load_config
from pytest_llmbench.config.load import builtin_suite
from pytest_llmbench.config.place import Place
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.suite import Suite
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import engine_options
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.runner.plan import matching, suite_cases

MOST_CASES: Final = 3
"""Cases of each variant."""

MOST_TOKENS: Final = 32
LEAST_ROUNDS: Final = 5

TOKEN_S: Final = 0.003
"""Seconds of work that a token of the scripted engine is made to take."""

_DEFAULT_SUITE: Final = "exo-five"
_SAMPLE_KIB: Final = 512
_SAMPLES: Final = 40

_OWN_CONFIG: Final = """\
# What llmbench selftest measures where there is no configuration: real work for the processor.

reference = "first"

[variants.first]
engine = "scripted"
work = {work}

[variants.second]
engine = "scripted"
work = {work}

[suites.work]
path = "work.toml"
max_new_tokens = 20
length = "fixed"
"""

_OWN_SUITE: Final = """\
[[prompts]]
id = "count"
prompt = "Count from one to twenty."

[[prompts]]
id = "alphabet"
prompt = "Say the alphabet."
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What is measured in every session: the cases of each variant, by its name."""

    config: Config
    cases: dict[str, tuple[Case, ...]]

    @property
    def count(self) -> int:
        """The number of cases."""
        return sum(map(len, self.cases.values()))

    def without(self, variants: Sequence[str]) -> Subject:
        """Return the subject less these *variants*."""
        left = {name: cases for name, cases in self.cases.items() if name not in variants}
        return Subject(self.config, left)


def configured_subject(config: Config, variants: Sequence[str], rounds: int | None) -> Subject:
    """Return short cases of those variants of *config* that match the globs *variants*.

    Limits are left out: they bound whole generations, and these are cut short.

    Raises:
        ConfigError: a glob that matches nothing.
    """
    names = matching(config.variants, variants, "variant", "--variants")
    bare = _without_limits(config)
    return Subject(bare, {name: _short_cases(bare, name, rounds) for name in names})


def own_subject(folder: Path, variants: Sequence[str], rounds: int | None) -> Subject:
    """Return two variants of the scripted engine with real work, written to *folder*."""
    work = calibrated_work(_time_hashing)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "work.toml").write_text(_OWN_SUITE, encoding="utf-8")
    path = folder / "llmbench.toml"
    path.write_text(_OWN_CONFIG.format(work=work), encoding="utf-8")
    return configured_subject(load_config(path, engine_options()), variants, rounds)


def calibrated_work(time_hashing: Callable[[], float]) -> int:
    """Return the scripted engine's ``work`` that makes a token take :data:`TOKEN_S` here.

    *time_hashing* returns the seconds of 512 KiB of the engine's work; the fastest of many is
    taken, because a busy neighbour makes it longer and nothing makes it shorter.
    """
    fastest = min(time_hashing() for _ in range(_SAMPLES))
    return max(1, round(_SAMPLE_KIB * TOKEN_S / fastest))


def _time_hashing() -> float:
    digest, block = hashlib.sha256(), bytes(1024)
    began = time.perf_counter()
    for _ in range(_SAMPLE_KIB):
        digest.update(block)
    return time.perf_counter() - began


def _short_cases(config: Config, variant: str, rounds: int | None) -> tuple[Case, ...]:
    """Return cases of the first suite that has any for *variant*."""
    for suite in config.suites.values():
        cases = suite_cases(_shortened(suite, rounds), [variant])
        if cases:
            return cases
    if config.suites:
        raise ConfigError(
            f"{config.source.name}: no suite is for the variant {variant!r}, so the self-test has "
            "nothing to ask of it; leave it out with --variants=GLOBS"
        )
    suite = builtin_suite(_DEFAULT_SUITE, Place(config.source.name))
    return suite_cases(_shortened(suite, rounds), [variant])


def _shortened(suite: Suite, rounds: int | None) -> Suite:
    """Return *suite* with its shortest prompts, few tokens, no sweep and enough rounds."""
    shortest = sorted(suite.prompts, key=lambda prompt: len(prompt.text))[:MOST_CASES]
    sampling = suite.sampling
    return msgspec.structs.replace(
        suite,
        prompts=tuple(prompt for prompt in suite.prompts if prompt in shortest),
        max_new_tokens=(min(max(suite.max_new_tokens), MOST_TOKENS),),
        temperature=suite.temperature[:1],
        seed=suite.seed[:1],
        length="fixed",
        sampling=msgspec.structs.replace(sampling, rounds=rounds or _enough(sampling.rounds)),
    )


def _enough(rounds: int | None) -> int | None:
    """Return *rounds*, but not too few; ``None`` leaves it to what the rounds show."""
    return None if rounds is None else max(rounds, LEAST_ROUNDS)


def _without_limits(config: Config) -> Config:
    return msgspec.structs.replace(
        config,
        gates=_tolerances(config.gates),
        variants={name: _bare_variant(v) for name, v in config.variants.items()},
        suites={
            name: msgspec.structs.replace(suite, gates=_tolerances(suite.gates))
            for name, suite in config.suites.items()
        },
    )


def _bare_variant(variant: Variant) -> Variant:
    return msgspec.structs.replace(variant, gates=_tolerances(variant.gates))


def _tolerances(gates: Gates) -> Gates:
    return Gates(tolerances=gates.tolerances)
