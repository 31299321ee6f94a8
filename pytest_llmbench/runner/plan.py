"""Which cases a session has: suites × variants × prompts × parameters, filtered."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.suite import Prompt, Suite
from pytest_llmbench.errors import ConfigError

LIFE_CYCLE = "life-cycle"
"""The name under which the lives of variants stand among the suites; no suite may have it."""


def matching(names: Iterable[str], globs: Sequence[str], what: str, origin: str) -> tuple[str, ...]:
    """Return the *names* that match any of *globs* (all, where there are none), in their order.

    Raises:
        ConfigError: a glob that matches nothing; names what there is. *what* and *origin* say
            what the names are and where the globs were written.
    """
    known = tuple(names)
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in known):
            raise ConfigError(
                f"{origin}: {glob!r} matches no {what} (there are: {', '.join(known) or 'none'})"
            )
    return tuple(n for n in known if not globs or any(fnmatchcase(n, glob) for glob in globs))


def suite_cases(suite: Suite, variants: Iterable[str]) -> tuple[Case, ...]:
    """Return the cases of *suite* for those of *variants* that it is for.

    Args:
        suite: prompts and the parameters to sweep over.
        variants: ids in the order wanted.

    Raises:
        ConfigError: two cases would have one name.
    """
    cases: dict[str, Case] = {}
    for variant in variants:
        if not any(fnmatchcase(variant, glob) for glob in suite.variants):
            continue
        for prompt, parameters in itertools.product(suite.prompts, _sweep(suite)):
            case = _case(suite, variant, prompt, parameters)
            if case.id in cases:
                raise ConfigError(_same_name(suite, cases[case.id], case))
            cases[case.id] = case
    return tuple(cases.values())


def _case(suite: Suite, variant: str, prompt: Prompt, parameters: Parameters) -> Case:
    return Case(
        suite=suite.name,
        variant=variant,
        prompt=prompt,
        parameters=parameters,
        sampling=suite.sampling,
    )


def _sweep(suite: Suite) -> Iterator[Parameters]:
    for length, temperature, seed in itertools.product(
        suite.max_new_tokens, suite.temperature, suite.seed
    ):
        yield Parameters(
            max_new_tokens=length,
            temperature=temperature,
            seed=seed,
            top_p=suite.top_p,
            top_k=suite.top_k,
            length=suite.length,
            chat=suite.chat,
        )


def _same_name(suite: Suite, one: Case, other: Case) -> str:
    if one.parameters != other.parameters:
        return (
            f"{suite.source}: its sweep gives the name {one.id!r} twice (seeds change nothing at "
            "temperature 0); list one seed, or temperatures above 0"
        )
    return (
        f"{suite.source}: the name {one.id!r} stands for variant {one.variant!r} with prompt "
        f"{one.prompt.id!r} and for {other.variant!r} with {other.prompt.id!r}; rename one"
    )
