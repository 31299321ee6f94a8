"""Which cases a session has (suites × variants × prompts × parameters), and which go together."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.suite import Prompt, Suite
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.errors import ConfigError
from pytest_llmbench.runner.bout import bout_of

LIFE_CYCLE = "life-cycle"
"""The name under which the lives of variants stand among the suites; no suite may have it."""


class Plan:
    """Which variants are loaded together, and which cases make a bout.

    Args:
        variants: all that can be loaded, by name, twins among them.
        reference: the variant that others are held against, if any.
        crews: the variants that are loaded together; those in none have a crew to themselves.
        launches: in how many fresh processes each case is measured.
        twins: for a variant the one that it is held against side by side.
    """

    def __init__(
        self,
        variants: Mapping[str, Variant],
        reference: str | None,
        *,
        crews: Sequence[Sequence[str]] = (),
        launches: int = 1,
        twins: Mapping[str, str] | None = None,
    ) -> None:
        self.variants = variants
        self.reference = reference
        self.launches = launches
        self.twins = twins or {}
        named = {name for crew in crews for name in crew}
        alone = [(name,) for name in variants if name not in named]
        self._crews = (*map(tuple, crews), *alone)
        self._selected: dict[str, Case] = {}
        self._held_against: dict[str, list[Case]] = {}

    def select(self, cases: Iterable[Case]) -> None:
        """Take note of the cases that will be asked for; nothing else is measured."""
        self._selected = {case.key: case for case in cases}
        self._held_against = {}
        for case in self._selected.values():
            original = self.original(case)
            if original is not None:
                self._held_against.setdefault(original.key, []).append(case)

    def crew(self, variant: str) -> int:
        """Return the number of the crew that *variant* is loaded with."""
        return next(n for n, crew in enumerate(self._crews) if variant in crew)

    @property
    def companions(self) -> frozenset[str]:
        """The variants that others are held against in turns."""
        reference = () if self.reference is None else (self.reference,)
        return frozenset((*reference, *self.twins.values()))

    @property
    def one_after_the_other(self) -> bool:
        """Whether cases of several crews are measured, so that they did not take turns.

        Side by side they took turns with what they are held against.
        """
        crews = {self.crew(case.variant) for case in self._selected.values()}
        return len(crews) > 1 and not self.twins

    def members(self, crew: int) -> tuple[str, ...]:
        """Return the variants of a crew."""
        return self._crews[crew]

    def bouts(self, crew: int) -> tuple[tuple[Case, ...], ...]:
        """Return the selected cases of a crew, bout by bout, with their twins."""
        found: dict[str, list[Case]] = {}
        for case in self._selected.values():
            if self.crew(case.variant) == crew:
                found.setdefault(bout_of(case), []).extend(self._with_twin(case))
        return tuple(map(tuple, found.values()))

    def together(self, case: Case, done: Collection[str]) -> tuple[Case, ...]:
        """Return *case* and what is measured with it: the rest of its bout, less what is *done*."""
        name, crew = bout_of(case), self.crew(case.variant)
        others = [
            each
            for each in self._selected.values()
            if each.key not in done
            and each.key != case.key
            and bout_of(each) == name
            and self.crew(each.variant) == crew
        ]
        return tuple(one for each in (case, *others) for one in self._with_twin(each))

    def counterpart(self, case: Case) -> Case | None:
        """Return the case that *case* takes turns with and is held against, if there is one."""
        twin = self.twins.get(case.variant)
        if twin is not None:
            return msgspec.structs.replace(case, variant=twin)
        if self.reference is None or case.variant in (self.reference, *self.twins.values()):
            return None
        other = msgspec.structs.replace(case, variant=self.reference)
        together = self.reference in self._crews[self.crew(case.variant)]
        return self._selected.get(other.key) if together else None

    def original(self, case: Case) -> Case | None:
        """Return the case whose text *case* is held against: its twin's, or the reference's.

        Unlike a counterpart it need not have taken turns.
        """
        twin = self.twins.get(case.variant)
        if twin is not None:
            return msgspec.structs.replace(case, variant=twin)
        if self.reference in (None, case.variant) or case.variant in self.twins.values():
            return None
        other = msgspec.structs.replace(case, variant=str(self.reference))
        return self._selected.get(other.key)

    def held_against(self, case: Case) -> tuple[Case, ...]:
        """Return the selected cases whose text is held against that of *case*."""
        return tuple(self._held_against.get(case.key, ()))

    def _with_twin(self, case: Case) -> tuple[Case, ...]:
        twin = self.twins.get(case.variant)
        if twin is None:
            return (case,)
        return (case, msgspec.structs.replace(case, variant=twin))


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
