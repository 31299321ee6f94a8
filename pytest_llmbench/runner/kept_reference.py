"""What a baseline keeps of its reference: when it stands for the reference, and how it grows."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from pytest_llmbench.baselines.originals import SCHEMA_VERSION
from pytest_llmbench.config import Config
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.drift import KeptOriginal, KeptOriginals, Original
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.variant import Variant


def usable(kept: KeptOriginals | None, config: Config) -> KeptOriginals | None:
    """Return *kept* where it is of the reference that *config* has, asked for in the same way."""
    if kept is None or config.reference is None or kept.reference != config.reference:
        return None
    return kept if kept.asked == asked_for(config.variants[config.reference]) else None


def kept_text(kept: KeptOriginals, case: Case) -> Original | None:
    """Return what is kept for *case*: ``None`` unless the very same was asked of the reference."""
    own = msgspec.structs.replace(case, variant=kept.reference)
    found = kept.cases.get(own.key)
    return None if found is None or found.workload != own.workload else found.original


def to_keep(
    before: KeptOriginals | None,
    now: Mapping[str, KeptOriginal],
    reference: Variant,
    facts: ModelFacts,
    saved_at: str,
) -> KeptOriginals:
    """Return what is kept from now on.

    What was kept *before* and not measured *now* stays, unless it was of another model.

    Args:
        before: what the baseline kept.
        now: what this session has, by the keys of the reference's cases.
        reference: the variant.
        facts: what its engine said of the model.
        saved_at: the session's time, in ISO 8601.
    """
    told = asked_for(reference)
    same = before is not None and (before.reference, before.asked, before.identity) == (
        reference.id,
        told,
        facts.identity,
    )
    old = before.cases if before is not None and same else {}
    return KeptOriginals(
        schema_version=SCHEMA_VERSION,
        saved_at=saved_at,
        reference=reference.id,
        asked=told,
        identity=facts.identity,
        cases={**old, **now},
    )


def asked_for(variant: Variant) -> str:
    """Return what the configuration says of the model of *variant*, as text."""
    return json.dumps([variant.engine, variant.options], sort_keys=True, default=str)
