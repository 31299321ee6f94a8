"""The engine: loads, encodes, generates one text after another, frees.

Read in mlx-lm 0.32.2: ``generate_step`` builds and starts each step before it hands out the token
before, and yields a token once its value is on the host: one stamp a yield. A forward pass is
still on its way when the last token is out; it is waited for before the round ends, so that the
next round does not pay for it. The library keeps no times of its own there: the rates of
``stream_generate`` come from its own clock around the same generator, and its ``generation_tps``
is ``n / (n - 1)`` too high, as it counts the first token but not its time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines.mlx.forcing import forced_logits
from pytest_llmbench.engines.mlx.libraries import Libraries
from pytest_llmbench.engines.mlx.model import Built, build
from pytest_llmbench.engines.mlx.options import MlxOptions, model_problem
from pytest_llmbench.engines.mlx.source import (
    adapter_identity,
    fetched_folder,
    load_tokens,
    source_identity,
    tokenizer_folder,
    tokenizer_identity,
)
from pytest_llmbench.engines.mlx.tokens import Tokens
from pytest_llmbench.engines.model_files import is_path, located
from pytest_llmbench.engines.protocol import Encoded, Generation, Stamps
from pytest_llmbench.errors import CaseError, LoadError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """What :meth:`MlxEngine.load` leaves for the rounds; *stream* is what they run on."""

    asked: MlxOptions
    built: Built
    tokens: Tokens
    stream: Any


class MlxEngine:
    """Runs :class:`MlxOptions` through mlx-lm's ``generate_step``."""

    def __init__(self) -> None:
        self._libraries: Libraries | None = None
        self._loaded: _Loaded | None = None

    def start(self) -> None:
        """Import mlx and mlx-lm."""
        self._libraries = Libraries.imported()

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:
        """Load weights and tokenizer; the allocator's peak counts from here."""
        asked, mlx = msgspec.convert(options, MlxOptions), self._mlx
        mlx.core.reset_peak_memory()
        kind = _use_device(mlx, asked.device)
        try:
            folder = fetched_folder(asked, base_dir)
            adapter = None if asked.adapter is None else located(asked.adapter, base_dir)
            source = tokenizer_folder(asked, folder, base_dir)
            built = build(mlx, asked, folder, adapter)
            tokens = load_tokens(mlx, asked, source, built)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as exc:
            raise LoadError(_load_problem(asked, base_dir, exc)) from exc
        _check_cache(mlx, asked, built.module)
        stream = mlx.core.new_stream(mlx.core.default_device())
        self._loaded = _Loaded(asked=asked, built=built, tokens=tokens, stream=stream)
        identity = {
            **source_identity(asked, base_dir, folder),
            **tokenizer_identity(asked, source),
            "dtype": built.dtype,
            "quantization": built.quantization,
            "device": kind,
            **adapter_identity(adapter),
            **_cache_identity(asked),
        }
        return self._facts(identity, kind)

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:
        """Return the token ids as an array of shape ``(prompt tokens,)``."""
        ids = self._ready.tokens.encode(messages, parameters)
        if not ids:
            raise CaseError("the prompt has no tokens; write some text, or chat = true")
        return Encoded(payload=self._mlx.core.array(ids), tokens=len(ids))

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        """Run ``generate_step`` once, on an empty cache."""
        tokens = self._ready.tokens
        ends = tokens.ends if parameters.length == "natural" else frozenset[int]()
        try:
            self._run(encoded, parameters, stamps, ends)
        except RuntimeError as exc:
            if "alloc" not in str(exc).lower() and "memory" not in str(exc).lower():
                raise
            raise CaseError(f"the device ran out of memory: {_first_lines(exc)}") from exc
        return Generation(
            text=tokens.text(stamps.ids),
            finish_reason="stop" if stamps.ids[-1] in ends else "length",
            cached_prompt_tokens=0,
        )

    def vocabulary(self) -> int:
        """Return how many tokens the model has, as its configuration says."""
        size = self._ready.built.first("vocab_size")
        if size is None:
            raise CaseError("the model's configuration does not say its vocab_size")
        return int(size)

    def token_ids(self, encoded: Encoded) -> tuple[int, ...]:
        """Return the tokens of an encoded prompt."""
        ids: Any = encoded.payload
        return tuple(ids.tolist())

    def text_of(self, ids: tuple[int, ...]) -> str:
        """Return what *ids* read as, without special tokens."""
        return self._ready.tokens.text(ids)

    def ids_of(self, text: str) -> tuple[int, ...]:
        """Return *text* as tokens that follow a prompt."""
        return self._ready.tokens.plain(text)

    def forced_logits(
        self, encoded: Encoded, continuation: tuple[int, ...], *, step: int
    ) -> Iterator[Any]:
        """Yield float32 logits in blocks of up to *step* rows, through a cache as in generate."""
        loaded = self._ready
        return forced_logits(
            self._mlx,
            loaded.built.module,
            encoded.payload,
            continuation,
            step,
            prefill_step_size=loaded.asked.prefill_step_size,
            max_kv_size=loaded.asked.max_kv_size,
            kv_bits=loaded.asked.kv_bits,
        )

    def free(self) -> None:
        """Drop model and tokenizer and give the allocator's pool back."""
        self._loaded = None
        gc.collect()
        self._mlx.core.clear_cache()

    @property
    def _mlx(self) -> Libraries:
        assert self._libraries is not None, "start comes first"
        return self._libraries

    @property
    def _ready(self) -> _Loaded:
        assert self._loaded is not None, "load comes first"
        return self._loaded

    def _run(
        self, encoded: Encoded, parameters: Parameters, stamps: Stamps, ends: frozenset[int]
    ) -> None:
        """Stamp every token up to the first of *ends*, then wait for what is in flight.

        On Metal the weights are wired meanwhile, as ``stream_generate`` does.
        """
        mlx, loaded = self._mlx, self._ready
        settle = functools.partial(mlx.core.synchronize, loaded.stream)
        wired = mlx.generation.wired_limit(loaded.built.module, [loaded.stream])
        try:
            with wired, contextlib.closing(self._steps(encoded, parameters)) as steps:
                for token, _ in steps:
                    stamps.token(token, settle=settle)
                    if token in ends:
                        break
        finally:
            settle()

    def _steps(
        self, encoded: Encoded, parameters: Parameters
    ) -> Generator[tuple[int, Any], None, None]:
        loaded = self._ready
        steps: Generator[tuple[int, Any], None, None] = self._mlx.generation.generate_step(
            encoded.payload,
            loaded.built.module,
            loaded.stream,
            max_tokens=parameters.max_new_tokens,
            sampler=self._sampler(parameters),
            max_kv_size=loaded.asked.max_kv_size,
            prefill_step_size=loaded.asked.prefill_step_size,
            kv_bits=loaded.asked.kv_bits,
            quantized_kv_start=0,
        )
        return steps

    def _sampler(self, parameters: Parameters) -> Any:
        """Return the sampler, its seed set anew; a top_k of the whole vocabulary keeps all."""
        if not parameters.greedy:
            self._mlx.core.random.seed(parameters.seed)
        vocabulary = self._ready.built.first("vocab_size")
        keeps_all = vocabulary is not None and parameters.top_k >= vocabulary
        return self._mlx.sampling.make_sampler(
            temp=parameters.temperature,
            top_p=parameters.top_p,
            top_k=0 if keeps_all else parameters.top_k,
        )

    def _facts(self, identity: dict[str, str], kind: str) -> ModelFacts:
        asked, built = self._ready.asked, self._ready.built
        arrays = self._mlx.trees.tree_flatten(built.module.parameters())
        return ModelFacts(
            identity=identity,
            settings={
                "backend": self._mlx.backend(kind),
                "prefill_step_size": str(asked.prefill_step_size),
            },
            model_bytes=sum(array.nbytes for _, array in arrays),
            context_tokens=built.first("max_position_embeddings", "n_positions"),
            device=kind,
            random_weights=asked.weights == "random",
        )


def _cache_identity(asked: MlxOptions) -> dict[str, str]:
    """Return what is unusual about keys and values, and so changes the text."""
    if asked.kv_bits is not None:
        return {"kv_cache": f"{asked.kv_bits}-bit"}
    return {} if asked.max_kv_size is None else {"kv_cache": f"{asked.max_kv_size} tokens"}


def _use_device(mlx: Libraries, asked: str) -> str:
    """Make the device *asked* for the default of this process; return its kind."""
    core = mlx.core
    if asked == "auto":
        return mlx.kind(core.default_device())
    device = getattr(core, asked)
    if not core.is_available(device):
        raise LoadError(
            f"device = {asked!r} was asked for, but mlx {core.__version__} has no {asked} here; "
            'write device = "cpu" or install an mlx built for it'
        )
    core.set_default_device(device)
    return asked


def _check_cache(mlx: Libraries, asked: MlxOptions, module: Any) -> None:
    """Refuse keys of the cache that this model would ignore."""
    if asked.max_kv_size is not None and hasattr(module, "make_cache"):
        raise LoadError(
            f"max_kv_size = {asked.max_kv_size} was asked for, but this model makes a cache of its "
            "own, of which mlx-lm can't limit the size; leave max_kv_size out"
        )
    caches = mlx.caches.make_prompt_cache(module)
    if asked.kv_bits is not None and not any(hasattr(c, "to_quantized") for c in caches):
        raise LoadError(
            f"kv_bits = {asked.kv_bits} was asked for, but mlx-lm can't quantize this model's "
            "cache; leave kv_bits out"
        )


def _load_problem(asked: MlxOptions, base_dir: Path, exc: Exception) -> str:
    """Say why the model could not be loaded: what its folder lacks, else the library's word."""
    folder = located(asked.model, base_dir)
    wrong = model_problem(folder)
    if wrong is not None and is_path(asked.model, base_dir):
        return f"model = {asked.model!r}: {wrong}"
    if not folder.exists():
        return (
            f"model = {asked.model!r} is neither a folder ({folder} does not exist) nor a model "
            f"that the hub gave: {_first_lines(exc)} Correct the path, or download the model first"
        )
    told = f"model = {asked.model!r} could not be loaded: {_first_lines(exc)}"
    if "Model type" in str(exc):
        return f'{told} Upgrade mlx-lm, or run the model under engine = "transformers"'
    if "trust_remote_code" in str(exc):
        return f"{told} Write trust_remote_code = true if you trust the model"
    return told


def _first_lines(exc: Exception) -> str:
    """Return the first two lines of what *exc* says as one; a bare key tells nothing alone."""
    lines = " ".join(line.strip() for line in str(exc).strip().splitlines()[:2])
    return lines if lines and not isinstance(exc, LookupError) else repr(exc)
