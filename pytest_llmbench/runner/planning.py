"""Which cases go together in this run, and which variants are in memory at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import psutil

from pytest_llmbench.config import Config
from pytest_llmbench.domain.baseline import Baseline, BaselineVariant
from pytest_llmbench.domain.case import Case
from pytest_llmbench.domain.claim import Claim
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines import engine_options
from pytest_llmbench.probes.nvml import Nvml
from pytest_llmbench.runner.crews import Crews, Interleave, crews
from pytest_llmbench.runner.plan import Plan

_HOST = "rss_after_load_bytes"


def plan_cases(
    config: Config,
    cases: Sequence[Case],
    *,
    mode: Interleave,
    launches: int,
    nvml: Nvml | None,
    baseline: Baseline | None,
    twins: Mapping[str, Variant],
) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan for *cases*, and why variants are not loaded together, as sentences.

    Args:
        config: the variants, and which of them is the reference.
        cases: what will be measured.
        mode: how variants are put together.
        launches: in how many fresh processes each case is measured.
        nvml: tells the memory of GPUs.
        baseline: tells what variants took in earlier sessions.
        twins: for a variant the one that it is held against side by side.
    """
    used = [config.variants[name] for name in dict.fromkeys(case.variant for case in cases)]
    if twins:
        together: Crews = Crews(crews=tuple((v.id, twins[v.id].id) for v in used), reasons=())
    else:
        together = crews(
            used,
            claims={variant.id: _claim(variant) for variant in used},
            available_host=psutil.virtual_memory().available,
            available_device=_free_device_memory(nvml),
            mode=mode,
            reference=config.reference,
            known=_known(baseline),
        )
    plan = Plan(
        {**config.variants, **{twin.id: twin for twin in twins.values()}},
        config.reference,
        crews=together.crews,
        launches=launches,
        twins={name: twin.id for name, twin in twins.items()},
    )
    plan.select(cases)
    return plan, together.reasons


def _claim(variant: Variant) -> Claim:
    keys = msgspec.convert(variant.options, engine_options()[variant.engine]())
    return keys.claim(variant.base_dir)


def _known(baseline: Baseline | None) -> dict[str, Claim]:
    """Return what variants took of the host's memory in the newest session that has them."""
    newest: dict[str, BaselineVariant] = {}
    for session in baseline.sessions if baseline else ():
        newest |= session.variants
    return {
        name: Claim(
            host_bytes=int(kept.metrics[_HOST]), device_bytes=None, device=None, alone_on=None
        )
        for name, kept in newest.items()
        if _HOST in kept.metrics
    }


def _free_device_memory(nvml: Nvml | None) -> dict[str, int]:
    """Return the free bytes of every GPU, as engines name them."""
    free = {}
    for number, gpu in enumerate(nvml.gpus() if nvml else ()):
        memory = gpu.memory()
        if memory is not None:
            free[f"cuda:{number}"] = memory.total - memory.used
    return free
