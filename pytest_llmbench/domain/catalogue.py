"""The catalogue of metrics: name, unit, better direction, kind, and how each is judged.

The definitions are the field's majority and MLPerf's; ``docs/metrics.md`` gives them in full.
How a value is computed lives in :mod:`pytest_llmbench.metrics`; the catalogue stands here, below
the configuration, because a limit on an unknown metric has to be refused when it is read.
"""

from __future__ import annotations

from typing import Final

from pytest_llmbench.domain.metric import Metric, Statistic
from pytest_llmbench.domain.metric_kinds import (
    beside,
    drift,
    exact,
    informative,
    life_time,
    memory,
    rate,
    timing,
)

_TTFT_NOISE: Final = 0.02
_TTFT_JITTER: Final = 0.5e-3
_MIB: Final = 2.0**20
_KL_TOLERANCE: Final = 0.1
_KL_FLOOR: Final = 5e-5
_SIMILARITY_TOLERANCE: Final = 0.02
_LENGTH_FLOOR: Final = 0.1
"""MLPerf's inference rules ask for 90 to 110 % of the reference's tokens."""

_ALL: Final = (
    timing(
        "ttft_s",
        "time to first token: start of generate (prompt already tokenized) to the first token",
        gated=True,
        statistic=Statistic.LOW_QUANTILE,
        noise=_TTFT_NOISE,
        floor=1e-3,
        jitter=_TTFT_JITTER,
        group="prefill",
    ),
    timing(
        "ttfr_s",
        "time to first response: start to a server's first chunk of any kind",
        statistic=Statistic.LOW_QUANTILE,
        noise=_TTFT_NOISE,
        floor=1e-3,
        jitter=_TTFT_JITTER,
        group="prefill",
    ),
    timing("itl_s", "median gap between two tokens of a round", gated=True),
    timing("itl_p90_s", "90th percentile of the gaps between the tokens of a round", group=None),
    timing("itl_max_s", "longest gap between two tokens of a round", group=None),
    timing("icl_s", "median gap between two chunks of a server's stream", gated=True),
    timing("icl_p90_s", "90th percentile of the gaps between the chunks of a round", group=None),
    timing("icl_max_s", "longest gap between two chunks of a round", group=None),
    timing("tpot_s", "time per output token after the first: (t_last - t_first) / (n - 1)"),
    timing("latency_s", "start of generate to the last token"),
    timing(
        "tokenize_s", "time to apply the chat template and tokenize the prompt", group="tokenize"
    ),
    rate("decode_tps", "1 / tpot_s"),
    rate("prefill_tps", "prompt tokens / time to first token", noise=_TTFT_NOISE, group="prefill"),
    rate("output_tps", "output tokens / latency_s"),
    rate(
        "engine_prefill_tps",
        "prompt tokens / their time, by the engine's own clock",
        group="prefill",
    ),
    rate("engine_decode_tps", "tokens / their time, by the engine's own clock"),
    exact("prompt_tokens", "tokens", "tokens of the prompt, template included", better=None),
    exact("output_tokens", "tokens", "tokens generated, the end token included", better=None),
    exact("output_chars", "chars", "characters of the generated text", better=None),
    exact(
        "faults",
        "count",
        "what is wrong with the text whatever was asked: empty, a loop, a special token …",
        better="lower",
        gated=True,
    ),
    exact("score", "1", "0 to 1 by the prompt's scorer", better="higher", gated=True),
    drift(
        "kl_mean",
        "nats",
        "divergence from the reference's probabilities, mean over the tokens of its text",
        better="lower",
        undrifted=0.0,
        gated=True,
        tolerance=_KL_TOLERANCE,
        floor=_KL_FLOOR,
    ),
    drift(
        "kl_p99",
        "nats",
        "99th percentile of the same over the tokens",
        better="lower",
        undrifted=0.0,
        tolerance=_KL_TOLERANCE,
        floor=_KL_FLOOR,
    ),
    drift(
        "kl_max",
        "nats",
        "largest of the same",
        better="lower",
        undrifted=0.0,
        tolerance=_KL_TOLERANCE,
        floor=_KL_FLOOR,
    ),
    drift(
        "top1_agreement",
        "1",
        "share of tokens at which variant and reference find the same one most probable",
        better="higher",
        undrifted=1.0,
        floor=0.02,
    ),
    drift(
        "delta_p_rms",
        "1",
        "root mean square of the change in the probability of the reference's token",
        better="lower",
        undrifted=0.0,
        tolerance=_KL_TOLERANCE,
        floor=0.01,
    ),
    drift(
        "ppl_ratio",
        "1",
        "perplexity of the reference's text by the variant / by the reference",
        better="lower",
        undrifted=1.0,
        floor=0.01,
    ),
    drift(
        "similarity",
        "1",
        "cosine of the embeddings of the text and the reference's",
        better="higher",
        undrifted=1.0,
        gated=True,
        tolerance=_SIMILARITY_TOLERANCE,
        floor=5e-3,
    ),
    beside(
        "tokens_match",
        "1",
        "1 where prompt and reference's text have the same tokens as under the reference",
        better="higher",
        undrifted=1.0,
        gated=True,
    ),
    beside(
        "exact_match",
        "1",
        "1 where the text is the reference's",
        better="higher",
        undrifted=1.0,
    ),
    beside(
        "prefix_match_tokens",
        "tokens",
        "tokens before the first that is not the reference's",
        better="higher",
        undrifted=None,
    ),
    beside(
        "length_ratio",
        "1",
        "output tokens / the reference's",
        better=None,
        undrifted=1.0,
    ),
    beside(
        "departures",
        "count",
        "ways in which the text is of another kind than the reference's: unfinished, language …",
        better="lower",
        undrifted=0.0,
        gated=True,
    ),
    memory(
        "rss_peak_bytes", "peak resident memory of the variant's process", of="case", gated=True
    ),
    memory(
        "device_alloc_peak_bytes",
        "peak of the device allocator's live bytes",
        of="case",
        gated=True,
        floor=16 * _MIB,
    ),
    memory("device_reserved_peak_bytes", "peak of the device allocator's pool", of="case"),
    memory("reported_bytes", "memory that the server says the model takes", of="case", gated=True),
    memory(
        "reported_device_bytes",
        "device memory that the server says the model takes",
        of="case",
        gated=True,
    ),
    memory("device_process_bytes", "device memory of the process, as NVML counts it", of="case"),
    life_time("start_s", "start of the process until the engine's libraries are imported"),
    life_time("load_s", "process ready to model ready"),
    life_time("first_generate_s", "the cold first generation (16 new tokens, fixed prompt)"),
    life_time("free_s", "release of the model until memory is back"),
    memory("rss_before_bytes", "resident memory before the model is loaded", of="variant"),
    memory(
        "rss_after_load_bytes", "resident memory with the model loaded", of="variant", gated=True
    ),
    memory("rss_life_peak_bytes", "highest resident memory of the variant's life", of="variant"),
    memory("rss_after_free_bytes", "resident memory after the model is freed", of="variant"),
    memory("rss_delta_bytes", "rss_after_load_bytes - rss_before_bytes", of="variant"),
    memory("rss_anon_bytes", "anonymous part of rss_after_load_bytes", of="variant"),
    memory("rss_file_bytes", "file-backed part of rss_after_load_bytes", of="variant"),
    informative("system_ram_before_bytes", "the machine's used memory before the load"),
    informative("system_ram_after_load_bytes", "the machine's used memory after the load"),
    informative("system_ram_peak_bytes", "the machine's used memory, highest reading"),
    informative("system_ram_after_free_bytes", "the machine's used memory after the free"),
    informative("device_before_bytes", "device memory of the process before the load"),
    informative("device_after_load_bytes", "device memory of the process after the load"),
    informative("device_after_free_bytes", "device memory of the process after the free"),
    exact(
        "model_bytes",
        "B",
        "bytes of the weights as loaded",
        better="lower",
        of="variant",
        gated=True,
    ),
    beside(
        "flips",
        "count",
        "prompts that the reference answers right and the variant wrong",
        better="lower",
        undrifted=0.0,
        part="answers",
    ),
    beside(
        "flips_p",
        "1",
        "probability of so many flips if the variant is as good: McNemar's exact test, one-sided",
        better="higher",
        undrifted=1.0,
        part="answers",
    ),
    beside(
        "score_change",
        "1",
        "mean score less the reference's, over the prompts that both were scored on",
        better="higher",
        undrifted=0.0,
        part="answers",
    ),
    beside(
        "score_change_low",
        "1",
        "one-sided lower 95 % bound of score_change",
        better="higher",
        undrifted=None,
        part="answers",
    ),
    beside(
        "length_change",
        "1",
        "distance of all output tokens / the reference's from 1, over the greedy prompts of both",
        better="lower",
        undrifted=0.0,
        part="answers",
        gated=True,
        floor=_LENGTH_FLOOR,
    ),
    exact(
        "warnings",
        "count",
        "distinct warnings of Python and the engine at load and generation",
        better="lower",
        of="variant",
    ),
)

CATALOGUE: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}
"""Every metric by name, in the order in which reports show them."""
