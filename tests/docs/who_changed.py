"""How often the judge tells who changed, as docs/verdicts.md has it: on simulated sessions.

    python -m tests.docs.who_changed

Five sessions before, ratios 1 % apart, and one in which a variant or the reference changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pytest_llmbench.domain.verdict import VerdictKind
from tests.verdict.test_yardstick import THREE, TWO, kinds, session

SEEDS: Final = 40
FASTER: Final = 1.18
SLOWER: Final = (1.05, 1.08, 1.12, 1.18, 1.25, 1.35)


def accused(name: str, names: tuple[str, ...], changed: Mapping[str, float], faster: float) -> int:
    """How many sessions accuse *name*; *changed* are factors by variant."""
    found = (kinds(session(names, seed=n, faster=faster, slower=changed)) for n in range(SEEDS))
    return sum(kind[name] is VerdictKind.REGRESSED for kind in found)


def slowed(names: tuple[str, ...]) -> list[int]:
    """In how many sessions on a faster machine the slowed variant is accused, by slowdown."""
    return [accused("base", names, {"base": factor}, FASTER) for factor in SLOWER]


def main() -> None:
    for names in (TWO, THREE):
        counts = slowed(names)
        told = ", ".join(f"{factor - 1:.0%}: {n}" for factor, n in zip(SLOWER, counts, strict=True))
        print(f"{len(names)} variants, faster machine, slowed by {told} of {SEEDS}")
        for factor in (0.95, 0.9):
            n = accused("base", names, {"ref": factor}, 1.0)
            print(
                f"{len(names)} variants, reference x{factor}: the other accused in {n} of {SEEDS}"
            )


if __name__ == "__main__":
    main()
