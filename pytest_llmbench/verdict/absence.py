"""Why a metric of the catalogue was not measured, where the reason can be told."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_llmbench.domain.catalogue import CATALOGUE
from pytest_llmbench.domain.record import CaseRecord, ModelFacts, VariantRecord
from pytest_llmbench.domain.similarity import SIMILARITY
from pytest_llmbench.domain.trace import Trace

_GAPS = frozenset({"itl_s", "itl_p90_s", "itl_max_s"})
_OF_SERVERS = frozenset(
    {"ttfr_s", "icl_s", "icl_p90_s", "icl_max_s", "reported_bytes", "reported_device_bytes"}
)
_NEEDS_TWO = _GAPS | {"tpot_s", "decode_tps"}
_COUNTED = frozenset({"output_tokens", "output_tps", "tpot_s", "decode_tps"})
_WITH_PROMPT = frozenset({"ttft_s", "ttfr_s", "latency_s", "prefill_tps", "output_tps"})
_OF_ALLOCATOR = frozenset({"device_alloc_peak_bytes", "device_reserved_peak_bytes"})


def absent_from_case(metric: str, record: CaseRecord, facts: ModelFacts | None) -> str:
    """Return why *record* has no *metric*, as the end of a sentence."""
    traces = [entry.trace for entry in record.rounds]
    reasons = (
        _of_a_cached_prompt(metric, traces),
        _of_a_server(metric, traces),
        _of_few_tokens(metric, traces),
        _of_no_score(metric, record, facts),
        _of_no_drift(metric, record),
        _of_no_memory(metric, record, facts),
    )
    return next(filter(None, reasons), "this engine or system did not give it")


def _of_a_cached_prompt(metric: str, traces: Sequence[Trace]) -> str | None:
    if metric in _WITH_PROMPT and any(trace.cached_prompt_tokens for trace in traces):
        return "the prompt came from the engine's cache, in part at least"
    return None


def _of_a_server(metric: str, traces: Sequence[Trace]) -> str | None:
    """Return why a server gives no *metric*, or why only a server would."""
    if not any(trace.arrivals == "chunks" for trace in traces):
        return "only a server gives it" if traces and metric in _OF_SERVERS else None
    if metric in _GAPS:
        return "a server's chunk may hold several tokens; its gaps are icl_s"
    if metric in _COUNTED and any(trace.output_tokens is None for trace in traces):
        return "the server does not say how many tokens it generated"
    if metric in {"prompt_tokens", "prefill_tps"}:
        return "the server does not say how many prompt tokens it processed"
    return None


def _of_few_tokens(metric: str, traces: Sequence[Trace]) -> str | None:
    tokens = max((len(trace.stamps_ns) for trace in traces), default=0)
    if metric in _NEEDS_TWO and tokens < 2:
        return f"it needs two generated tokens and there were {tokens}"
    return "no token was generated" if metric == "ttft_s" and tokens == 0 else None


def _of_no_score(metric: str, record: CaseRecord, facts: ModelFacts | None) -> str | None:
    if metric not in {"faults", "score"}:
        return None
    if facts is not None and facts.random_weights:
        return "the weights are random, so that the text means nothing"
    if metric == "score" and record.no_score is not None:
        return record.no_score
    return f"prompt {record.case.prompt.id!r} has no scorer (expect and score)"


def _of_no_drift(metric: str, record: CaseRecord) -> str | None:
    if not CATALOGUE[metric].of_drift:
        return None
    if not record.case.parameters.greedy:
        return "what is drawn (temperature above 0) differs by chance"
    why = record.no_similarity if metric == SIMILARITY else record.no_drift
    return why or "it is the reference, there is none, or its case was not measured"


def _of_no_memory(metric: str, record: CaseRecord, facts: ModelFacts | None) -> str | None:
    if metric in _OF_ALLOCATOR and facts is not None and facts.device == "cpu":
        return "the variant runs on the cpu, which has no device allocator"
    if metric.endswith("_bytes") and record.memory is None:
        return "no memory pass was run"
    return None


def absent_from_life(metric: str, record: VariantRecord) -> str:
    """Return why the variant's life has no *metric*, as the end of a sentence."""
    if metric == "model_bytes":
        return "the engine does not tell the size of its weights"
    if record.facts is None:
        return "the model was not loaded"
    if CATALOGUE[metric].of_answers:
        return "no prompt was asked of both the variant and the reference, or none that is scored"
    return "the variant's life did not come to it, or this system does not tell it"
