"""Colours: on the screen by day and by night, and on paper.

Series are distinguishable with every common kind of colour blindness: they are those of M. Okabe
and K. Ito (Color Universal Design, 2008), darkened or lightened until they have a contrast of 3 : 1
with what is behind them. No colour stands alone: verdicts have their word and a sign beside them,
series their name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from pytest_llmbench.domain.verdict import VerdictKind

SIGNS: Final[Mapping[VerdictKind, str]] = {
    VerdictKind.ERROR: "✕",
    VerdictKind.REGRESSED: "▼",
    VerdictKind.INCONCLUSIVE: "?",
    VerdictKind.INCOMPARABLE: "≠",
    VerdictKind.MISSING: "○",
    VerdictKind.NEW: "+",
    VerdictKind.IMPROVED: "▲",
    VerdictKind.OK: "✓",
}
"""What stands before the word of a verdict."""

LEVELS: Final = 7
"""Steps of the ramp in heat maps."""

SERIES: Final = 8
"""Series that have a colour of their own; more of them begin anew, with their names beside them."""

PARTS_FIRST: Final = 6
"""The first series that is a part of a variant: others than the first variants have."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a chart, as SVG takes them.

    Attributes:
        ink, muted, rule, surface: of words, of what is beside the point, of lines, of the page.
        series: one for each variant, in order.
        ramp: from weak to strong.
        on_strong: of words on the strong half of the ramp.
        verdicts: of each kind.
    """

    ink: str
    muted: str
    rule: str
    surface: str
    series: tuple[str, ...]
    ramp: tuple[str, ...]
    on_strong: str
    verdicts: Mapping[VerdictKind, str]


DAY: Final = Theme(
    ink="#1d2430",
    muted="#5b6472",
    rule="#dfe3e8",
    surface="#ffffff",
    series=(
        "#0067a5", "#c8500a", "#00805c", "#a8437f", "#8a6d00", "#3c87c0", "#7a4fb5", "#555c66",
    ),
    ramp=("#eef5fa", "#d5e7f3", "#b3d2e8", "#86b7d8", "#5597c4", "#2b76aa", "#0b5585"),
    on_strong="#ffffff",
    verdicts={
        VerdictKind.ERROR: "#8f1d3f",
        VerdictKind.REGRESSED: "#bf3f0b",
        VerdictKind.INCONCLUSIVE: "#8a6500",
        VerdictKind.INCOMPARABLE: "#6f5f86",
        VerdictKind.MISSING: "#5b6472",
        VerdictKind.NEW: "#2d62a3",
        VerdictKind.IMPROVED: "#00755a",
        VerdictKind.OK: "#5d6f66",
    },
)  # fmt: skip

NIGHT: Final = Theme(
    ink="#e7eaee",
    muted="#9aa4b2",
    rule="#303844",
    surface="#171b21",
    series=(
        "#57b0ea", "#f0894a", "#3fc39a", "#e38fc0", "#d8b93c", "#9cc9ee", "#b79bea", "#a3abb8",
    ),
    ramp=("#1d2935", "#1f3a50", "#214d6d", "#265f88", "#2a6c9a", "#5aa5d8", "#86c3ee"),
    on_strong="#0c1116",
    verdicts={
        VerdictKind.ERROR: "#ff8fab",
        VerdictKind.REGRESSED: "#ff9a66",
        VerdictKind.INCONCLUSIVE: "#e2bd4f",
        VerdictKind.INCOMPARABLE: "#bfaedb",
        VerdictKind.MISSING: "#9aa4b2",
        VerdictKind.NEW: "#86b8f0",
        VerdictKind.IMPROVED: "#4fd1a8",
        VerdictKind.OK: "#9db3a6",
    },
)  # fmt: skip


def _by_name() -> Theme:
    """Return the theme whose colours the page's style sheet decides, by day and by night."""
    return Theme(
        ink="var(--ink)",
        muted="var(--muted)",
        rule="var(--rule)",
        surface="var(--surface)",
        series=tuple(f"var(--series-{number})" for number in range(SERIES)),
        ramp=tuple(f"var(--ramp-{level})" for level in range(LEVELS)),
        on_strong="var(--on-strong)",
        verdicts={kind: f"var(--{kind.value})" for kind in VerdictKind},
    )


PAGE: Final = _by_name()


def variables(theme: Theme) -> dict[str, str]:
    """Return the colours of *theme* by the names that :data:`PAGE` has for them."""
    return {
        "--ink": theme.ink,
        "--muted": theme.muted,
        "--rule": theme.rule,
        "--surface": theme.surface,
        "--on-strong": theme.on_strong,
        **{f"--series-{number}": color for number, color in enumerate(theme.series)},
        **{f"--ramp-{level}": color for level, color in enumerate(theme.ramp)},
        **{f"--{kind.value}": color for kind, color in theme.verdicts.items()},
    }
