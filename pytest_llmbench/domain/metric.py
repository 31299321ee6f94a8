"""The catalogue of metrics: name, unit, better direction, kind, and how each is judged.

The definitions are the field's majority and MLPerf's; ``docs/metrics.md`` gives them in full.
How a value is computed lives in :mod:`pytest_llmbench.metrics`; the catalogue stands here, below
the configuration, because a limit on an unknown metric has to be refused when it is read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.units import Unit


class Kind(StrEnum):
    """How a metric repeats when nothing has changed."""

    NOISY = "noisy"
    NEAR_EXACT = "near-exact"
    EXACT = "exact"
    INFORMATIVE = "informative"


class Statistic(StrEnum):
    """Which number of a case's rounds stands for the session when sessions are compared."""

    MIDDLE = "middle"
    LOW_QUANTILE = "low-quantile"
    VALUE = "value"


class Metric(Fact, frozen=True, kw_only=True):
    """One named quantity.

    Attributes:
        name: ends in its unit where it has one (``_s``, ``_bytes``, ``_tps``).
        unit: base unit of every stored value.
        better: ``"lower"`` or ``"higher"``; ``None`` where neither is better.
        kind: see :class:`Kind`.
        of: what it belongs to: a ``"case"``, or a ``"variant"`` (its life cycle).
        gated: compared with the baseline unless the user says otherwise. Of the metrics that
            restate one another (``itl_s``, ``tpot_s``, ``decode_tps``, ``latency_s``,
            ``output_tps``) one alone is gated, so that one slowdown is one verdict.
        statistic: the session's number, see :class:`Statistic`.
        tolerance: default accepted worsening, as a share of the baseline.
        floor: worsening that is never judged, in the base unit (clock or allocator grain).
        noise: standard deviation between launches of unchanged code, as a share, that is assumed
            as far as sessions do not show it (:mod:`pytest_llmbench.verdict.noise`).
        jitter: further standard deviation in the base unit, which is assumed of a baseline of one
            session and gives way to what more of them show: what waking threads and dispatching
            kernels adds to a token, however small the model.
        summary: the definition in one line.
        group: what it restates together with others, which count as one thing judged; ``None``
            where it stands alone.
        part: what is said beside the reference: ``"drift"`` of a case's text, or ``"answers"`` of
            all of a variant's.
        undrifted: what it is where nothing differs from the reference; ``None``: that depends, or
            it is not said beside a reference.
    """

    name: str
    unit: Unit
    better: Literal["lower", "higher"] | None
    kind: Kind
    of: Literal["case", "variant"]
    summary: str
    gated: bool = False
    statistic: Statistic = Statistic.VALUE
    tolerance: float = 0.0
    floor: float = 0.0
    noise: float = 0.0
    jitter: float = 0.0
    group: str | None = None

    part: Literal["drift", "answers"] | None = None
    undrifted: float | None = None

    @property
    def of_answers(self) -> bool:
        """Whether it says how a variant's answers are beside the reference's."""
        return self.part == "answers"

    @property
    def of_drift(self) -> bool:
        """Whether it says how far a text or its probabilities are from the reference's."""
        return self.part == "drift"


_TIMING_NOISE: Final = 0.015
_TTFT_NOISE: Final = 0.02
_TIMING_TOLERANCE: Final = 0.01
_MEMORY_TOLERANCE: Final = 0.05
_MEMORY_FLOOR: Final = 32.0 * 2**20
_CLOCK_FLOOR: Final = 50e-6
_TOKEN_JITTER: Final = 0.2e-3
_TTFT_JITTER: Final = 0.5e-3
_MIB: Final = 2.0**20
_KL_TOLERANCE: Final = 0.1
_KL_FLOOR: Final = 5e-5
_SIMILARITY_TOLERANCE: Final = 0.02
_LENGTH_FLOOR: Final = 0.1
"""MLPerf's inference rules ask for 90 to 110 % of the reference's tokens."""


def _timing(
    name: str,
    summary: str,
    *,
    gated: bool = False,
    statistic: Statistic = Statistic.MIDDLE,
    noise: float = _TIMING_NOISE,
    floor: float = _CLOCK_FLOOR,
    jitter: float = _TOKEN_JITTER,
    group: str | None = "decode",
) -> Metric:
    return Metric(
        name=name,
        unit="s",
        better="lower",
        kind=Kind.NOISY,
        of="case",
        gated=gated,
        statistic=statistic,
        tolerance=_TIMING_TOLERANCE,
        floor=floor,
        noise=noise,
        jitter=jitter,
        summary=summary,
        group=group,
    )


def _rate(
    name: str, summary: str, *, noise: float = _TIMING_NOISE, group: str = "decode"
) -> Metric:
    return Metric(
        name=name,
        unit="tok/s",
        better="higher",
        kind=Kind.NOISY,
        of="case",
        statistic=Statistic.MIDDLE,
        tolerance=_TIMING_TOLERANCE,
        noise=noise,
        summary=summary,
        group=group,
    )


def _life_time(name: str, summary: str) -> Metric:
    return Metric(
        name=name,
        unit="s",
        better="lower",
        kind=Kind.NOISY,
        of="variant",
        tolerance=0.25,
        floor=0.1,
        noise=0.10,
        summary=summary,
    )


def _memory(
    name: str,
    summary: str,
    *,
    of: Literal["case", "variant"],
    gated: bool = False,
    floor: float = _MEMORY_FLOOR,
) -> Metric:
    return Metric(
        name=name,
        unit="B",
        better="lower",
        kind=Kind.NEAR_EXACT,
        of=of,
        gated=gated,
        tolerance=_MEMORY_TOLERANCE,
        floor=floor,
        summary=summary,
    )


def _exact(
    name: str,
    unit: Unit,
    summary: str,
    *,
    better: Literal["lower", "higher"] | None,
    of: Literal["case", "variant"] = "case",
    gated: bool = False,
) -> Metric:
    return Metric(
        name=name,
        unit=unit,
        better=better,
        kind=Kind.EXACT,
        of=of,
        gated=gated,
        summary=summary,
    )


def _beside(
    name: str,
    unit: Unit,
    summary: str,
    *,
    better: Literal["lower", "higher"] | None,
    undrifted: float | None,
    part: Literal["drift", "answers"] = "drift",
    gated: bool = False,
    floor: float = 0.0,
) -> Metric:
    """Return an exact metric of a text, or of all answers, beside the reference's."""
    return Metric(
        name=name,
        unit=unit,
        better=better,
        kind=Kind.EXACT,
        of="case" if part == "drift" else "variant",
        gated=gated,
        floor=floor,
        summary=summary,
        part=part,
        undrifted=undrifted,
    )


def _drift(
    name: str,
    unit: Unit,
    summary: str,
    *,
    better: Literal["lower", "higher"],
    undrifted: float,
    gated: bool = False,
    tolerance: float = 0.0,
    floor: float = 0.0,
) -> Metric:
    return Metric(
        name=name,
        unit=unit,
        better=better,
        kind=Kind.NEAR_EXACT,
        of="case",
        gated=gated,
        tolerance=tolerance,
        floor=floor,
        summary=summary,
        part="drift",
        undrifted=undrifted,
    )


def _informative(name: str, summary: str) -> Metric:
    return Metric(
        name=name,
        unit="B",
        better=None,
        kind=Kind.INFORMATIVE,
        of="variant",
        summary=summary,
    )


_ALL: Final = (
    _timing(
        "ttft_s",
        "time to first token: start of generate (prompt already tokenized) to the first token",
        gated=True,
        statistic=Statistic.LOW_QUANTILE,
        noise=_TTFT_NOISE,
        floor=1e-3,
        jitter=_TTFT_JITTER,
        group="prefill",
    ),
    _timing(
        "ttfr_s",
        "time to first response: start to a server's first chunk of any kind",
        statistic=Statistic.LOW_QUANTILE,
        noise=_TTFT_NOISE,
        floor=1e-3,
        jitter=_TTFT_JITTER,
        group="prefill",
    ),
    _timing("itl_s", "median gap between two tokens of a round", gated=True),
    _timing("itl_p90_s", "90th percentile of the gaps between the tokens of a round", group=None),
    _timing("itl_max_s", "longest gap between two tokens of a round", group=None),
    _timing("icl_s", "median gap between two chunks of a server's stream", gated=True),
    _timing("icl_p90_s", "90th percentile of the gaps between the chunks of a round", group=None),
    _timing("icl_max_s", "longest gap between two chunks of a round", group=None),
    _timing("tpot_s", "time per output token after the first: (t_last - t_first) / (n - 1)"),
    _timing("latency_s", "start of generate to the last token"),
    _timing(
        "tokenize_s", "time to apply the chat template and tokenize the prompt", group="tokenize"
    ),
    _rate("decode_tps", "1 / tpot_s"),
    _rate("prefill_tps", "prompt tokens / time to first token", noise=_TTFT_NOISE, group="prefill"),
    _rate("output_tps", "output tokens / latency_s"),
    _rate(
        "engine_prefill_tps",
        "prompt tokens / their time, by the engine's own clock",
        group="prefill",
    ),
    _rate("engine_decode_tps", "tokens / their time, by the engine's own clock"),
    _exact("prompt_tokens", "tokens", "tokens of the prompt, template included", better=None),
    _exact("output_tokens", "tokens", "tokens generated, the end token included", better=None),
    _exact("output_chars", "chars", "characters of the generated text", better=None),
    _exact(
        "faults",
        "count",
        "what is wrong with the text whatever was asked: empty, a loop, a special token …",
        better="lower",
        gated=True,
    ),
    _exact("score", "1", "0 to 1 by the prompt's scorer", better="higher", gated=True),
    _drift(
        "kl_mean",
        "nats",
        "divergence from the reference's probabilities, mean over the tokens of its text",
        better="lower",
        undrifted=0.0,
        gated=True,
        tolerance=_KL_TOLERANCE,
        floor=_KL_FLOOR,
    ),
    _drift(
        "kl_p99",
        "nats",
        "99th percentile of the same over the tokens",
        better="lower",
        undrifted=0.0,
        tolerance=_KL_TOLERANCE,
        floor=_KL_FLOOR,
    ),
    _drift(
        "kl_max",
        "nats",
        "largest of the same",
        better="lower",
        undrifted=0.0,
        tolerance=_KL_TOLERANCE,
        floor=_KL_FLOOR,
    ),
    _drift(
        "top1_agreement",
        "1",
        "share of tokens at which variant and reference find the same one most probable",
        better="higher",
        undrifted=1.0,
        floor=0.02,
    ),
    _drift(
        "delta_p_rms",
        "1",
        "root mean square of the change in the probability of the reference's token",
        better="lower",
        undrifted=0.0,
        tolerance=_KL_TOLERANCE,
        floor=0.01,
    ),
    _drift(
        "ppl_ratio",
        "1",
        "perplexity of the reference's text by the variant / by the reference",
        better="lower",
        undrifted=1.0,
        floor=0.01,
    ),
    _drift(
        "similarity",
        "1",
        "cosine of the embeddings of the text and the reference's",
        better="higher",
        undrifted=1.0,
        gated=True,
        tolerance=_SIMILARITY_TOLERANCE,
        floor=5e-3,
    ),
    _beside(
        "tokens_match",
        "1",
        "1 where prompt and reference's text have the same tokens as under the reference",
        better="higher",
        undrifted=1.0,
        gated=True,
    ),
    _beside(
        "exact_match",
        "1",
        "1 where the text is the reference's",
        better="higher",
        undrifted=1.0,
    ),
    _beside(
        "prefix_match_tokens",
        "tokens",
        "tokens before the first that is not the reference's",
        better="higher",
        undrifted=None,
    ),
    _beside(
        "length_ratio",
        "1",
        "output tokens / the reference's",
        better=None,
        undrifted=1.0,
    ),
    _beside(
        "departures",
        "count",
        "ways in which the text is of another kind than the reference's: unfinished, language …",
        better="lower",
        undrifted=0.0,
        gated=True,
    ),
    _memory(
        "rss_peak_bytes", "peak resident memory of the variant's process", of="case", gated=True
    ),
    _memory(
        "device_alloc_peak_bytes",
        "peak of the device allocator's live bytes",
        of="case",
        gated=True,
        floor=16 * _MIB,
    ),
    _memory("device_reserved_peak_bytes", "peak of the device allocator's pool", of="case"),
    _memory("reported_bytes", "memory that the server says the model takes", of="case", gated=True),
    _memory(
        "reported_device_bytes",
        "device memory that the server says the model takes",
        of="case",
        gated=True,
    ),
    _memory("device_process_bytes", "device memory of the process, as NVML counts it", of="case"),
    _life_time("start_s", "start of the process until the engine's libraries are imported"),
    _life_time("load_s", "process ready to model ready"),
    _life_time("first_generate_s", "the cold first generation (16 new tokens, fixed prompt)"),
    _life_time("free_s", "release of the model until memory is back"),
    _memory("rss_before_bytes", "resident memory before the model is loaded", of="variant"),
    _memory(
        "rss_after_load_bytes", "resident memory with the model loaded", of="variant", gated=True
    ),
    _memory("rss_life_peak_bytes", "highest resident memory of the variant's life", of="variant"),
    _memory("rss_after_free_bytes", "resident memory after the model is freed", of="variant"),
    _memory("rss_delta_bytes", "rss_after_load_bytes - rss_before_bytes", of="variant"),
    _memory("rss_anon_bytes", "anonymous part of rss_after_load_bytes", of="variant"),
    _memory("rss_file_bytes", "file-backed part of rss_after_load_bytes", of="variant"),
    _informative("system_ram_before_bytes", "the machine's used memory before the load"),
    _informative("system_ram_after_load_bytes", "the machine's used memory after the load"),
    _informative("system_ram_peak_bytes", "the machine's used memory, highest reading"),
    _informative("system_ram_after_free_bytes", "the machine's used memory after the free"),
    _informative("device_before_bytes", "device memory of the process before the load"),
    _informative("device_after_load_bytes", "device memory of the process after the load"),
    _informative("device_after_free_bytes", "device memory of the process after the free"),
    _exact(
        "model_bytes",
        "B",
        "bytes of the weights as loaded",
        better="lower",
        of="variant",
        gated=True,
    ),
    _beside(
        "flips",
        "count",
        "prompts that the reference answers right and the variant wrong",
        better="lower",
        undrifted=0.0,
        part="answers",
    ),
    _beside(
        "flips_p",
        "1",
        "probability of so many flips if the variant is as good: McNemar's exact test, one-sided",
        better="higher",
        undrifted=1.0,
        part="answers",
    ),
    _beside(
        "score_change",
        "1",
        "mean score less the reference's, over the prompts that both were scored on",
        better="higher",
        undrifted=0.0,
        part="answers",
    ),
    _beside(
        "score_change_low",
        "1",
        "one-sided lower 95 % bound of score_change",
        better="higher",
        undrifted=None,
        part="answers",
    ),
    _beside(
        "length_change",
        "1",
        "distance of all output tokens / the reference's from 1, over the greedy prompts of both",
        better="lower",
        undrifted=0.0,
        part="answers",
        gated=True,
        floor=_LENGTH_FLOOR,
    ),
    _exact(
        "warnings",
        "count",
        "distinct warnings of Python and the engine at load and generation",
        better="lower",
        of="variant",
    ),
)

CATALOGUE: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}
"""Every metric by name, in the order in which reports show them."""
