"""Why a metric of the catalogue was not measured, where the reason can be told."""

from __future__ import annotations

from pytest_llmbench.domain.record import CaseRecord, ModelFacts, VariantRecord

_NEEDS_TWO = frozenset({"itl_s", "itl_p90_s", "itl_max_s", "tpot_s", "decode_tps"})
_OF_ALLOCATOR = frozenset({"device_alloc_peak_bytes", "device_reserved_peak_bytes"})


def absent_from_case(metric: str, record: CaseRecord, facts: ModelFacts | None) -> str:
    """Return why *record* has no *metric*, as the end of a sentence."""
    tokens = max((len(entry.trace.stamps_ns) for entry in record.rounds), default=0)
    if metric in _NEEDS_TWO and tokens < 2:
        return f"it needs two generated tokens and there were {tokens}"
    if metric == "ttft_s" and tokens == 0:
        return "no token was generated"
    if metric == "score":
        return f"prompt {record.case.prompt.id!r} has no scorer (expect and score)"
    if metric in _OF_ALLOCATOR and facts is not None and facts.device == "cpu":
        return "the variant runs on the cpu, which has no device allocator"
    if metric.endswith("_bytes") and record.memory is None:
        return "no memory pass was run"
    return "this engine or system did not give it"


def absent_from_life(metric: str, record: VariantRecord) -> str:
    """Return why the variant's life has no *metric*, as the end of a sentence."""
    if metric == "model_bytes":
        return "the engine does not tell the size of its weights"
    if record.facts is None:
        return "the model was not loaded"
    return "the variant's life did not come to it, or this system does not tell it"
