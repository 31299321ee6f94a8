"""The adapter: loads what the keys describe, tokenizes, generates on an empty cache, frees."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.engines.model_files import located
from pytest_llmbench.engines.protocol import Encoded, Generation, Stamps
from pytest_llmbench.engines.transformers.facts import model_facts
from pytest_llmbench.engines.transformers.forcing import forced_logits
from pytest_llmbench.engines.transformers.libraries import Libraries, import_libraries
from pytest_llmbench.engines.transformers.options import TransformersOptions
from pytest_llmbench.engines.transformers.refusals import load_problem, said
from pytest_llmbench.engines.transformers.stamps import watch
from pytest_llmbench.engines.transformers.tokens import (
    ByteTokenizer,
    check_vocabulary,
    load_tokenizer,
)
from pytest_llmbench.engines.transformers.weights import Loading, Weights
from pytest_llmbench.errors import CaseError, EngineError, LoadError


class TransformersEngine:
    """Runs :class:`.TransformersOptions` through ``generate`` of a causal language model."""

    def __init__(self) -> None:
        self._imported: Libraries | None = None
        self._weights: Weights | None = None
        self._tokenizer: Any = None

    def start(self) -> None:
        """Import torch and transformers."""
        self._imported = import_libraries()

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:
        """Load tokenizer and weights onto the device."""
        asked = msgspec.convert(options, TransformersOptions)
        _check_folders(asked, base_dir)
        if asked.threads is not None:
            self._libraries.torch.set_num_threads(asked.threads)
        device = _device(self._libraries.torch, asked.device)
        folder = located(asked.model, base_dir)
        source = str(folder) if folder.is_dir() else asked.model
        try:
            self._tokenizer = load_tokenizer(self._libraries, asked, base_dir)
            self._weights = Loading(
                self._libraries, asked, source=source, base_dir=base_dir, device=device
            ).weights()
        except EngineError:
            raise
        except Exception as exc:  # a checkpoint makes libraries raise anything
            raise LoadError(load_problem("model", asked.model, folder, exc)) from exc
        if asked.weights == "random":
            self._fit_tokenizer()
        return model_facts(
            self._libraries,
            asked,
            self._weights,
            self._tokenizer,
            base_dir=base_dir,
            device=device,
        )

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:
        """Return ``input_ids`` of shape ``(1, prompt tokens)``, on the device."""
        if self._templated(parameters):
            encoded = self._tokenizer.apply_chat_template(
                [{"role": turn.role, "content": turn.content} for turn in messages],
                add_generation_prompt=True,
                return_tensors="pt",
                return_dict=True,
            )
        else:
            text = "\n\n".join(turn.content for turn in messages)
            encoded = self._tokenizer(text, return_tensors="pt")
        ids = encoded["input_ids"].to(self._ready.model.device)
        return Encoded(payload=ids, tokens=ids.shape[1])

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        """Run ``generate`` once, on an empty cache."""
        torch, model, decoding = self._libraries.torch, self._ready.model, self._ready.decoding
        if not parameters.greedy:
            torch.manual_seed(parameters.seed)
        ids: Any = encoded.payload
        seen = watch(stamps, torch, str(model.device.type))
        try:
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=decoding.config(parameters),
                streamer=seen.streamer,
                logits_processor=seen.processors,
            )
        except torch.OutOfMemoryError as exc:
            raise CaseError(f"the device ran out of memory: {said(exc)}") from exc
        seen.finish()
        return Generation(
            text=self._tokenizer.decode(stamps.ids, skip_special_tokens=True),
            finish_reason="stop" if decoding.ended(parameters, stamps.ids) else "length",
            cached_prompt_tokens=0,
        )

    def vocabulary(self) -> int:
        """Return how many tokens the model's embedding has."""
        return int(self._ready.model.get_input_embeddings().num_embeddings)

    def token_ids(self, encoded: Encoded) -> tuple[int, ...]:
        """Return the tokens of an encoded prompt."""
        ids: Any = encoded.payload
        return tuple(ids[0].tolist())

    def text_of(self, ids: tuple[int, ...]) -> str:
        """Return what *ids* read as, without special tokens."""
        return str(self._tokenizer.decode(list(ids), skip_special_tokens=True))

    def ids_of(self, text: str) -> tuple[int, ...]:
        """Return *text* as tokens that follow a prompt."""
        encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return tuple(encoded["input_ids"])

    def forced_logits(
        self, encoded: Encoded, continuation: tuple[int, ...], *, step: int
    ) -> Iterator[Any]:
        """Yield float32 logits in blocks of up to *step* rows; the model's own cache between."""
        torch = self._libraries.torch
        try:
            yield from forced_logits(torch, self._ready.model, encoded.payload, continuation, step)
        except torch.OutOfMemoryError as exc:
            raise CaseError(f"the device ran out of memory: {said(exc)}") from exc

    def free(self) -> None:
        """Drop model and tokenizer and empty the device allocator's pool."""
        torch = self._libraries.torch
        self._weights = self._tokenizer = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()

    def _fit_tokenizer(self) -> None:
        """Take bytes where random weights have no tokenizer; refuse one that is too large."""
        vocabulary = self._ready.model.config.get_text_config().vocab_size
        if self._tokenizer is None:
            ends = self._ready.decoding.ends
            self._tokenizer = ByteTokenizer(self._libraries.torch, vocabulary, ends)
        else:
            check_vocabulary(self._tokenizer, vocabulary)

    def _templated(self, parameters: Parameters) -> bool:
        has_template = self._tokenizer.chat_template is not None
        if parameters.chat and not has_template:
            raise CaseError(
                "chat = true was asked for, but the model's tokenizer has no chat template; "
                "leave chat out or write chat = false"
            )
        return has_template if parameters.chat is None else parameters.chat

    @property
    def _libraries(self) -> Libraries:
        assert self._imported is not None, "start comes first"
        return self._imported

    @property
    def _ready(self) -> Weights:
        assert self._weights is not None, "load comes first"
        return self._weights


def _device(torch: Any, asked: str) -> str:
    """Return the device that *asked* means here; raises LoadError where there is none."""
    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        return next((kind for kind, there in present.items() if there), "cpu")
    kind, _, number = asked.partition(":")
    if not present.get(kind, True):
        raise LoadError(
            f"device = {asked!r} was asked for, but torch {torch.__version__} sees no {kind} "
            'device; write device = "cpu" or install a torch built for it'
        )
    if number and int(number) >= torch.cuda.device_count():
        raise LoadError(
            f"device = {asked!r} was asked for, but there are {torch.cuda.device_count()} "
            "CUDA devices, counted from cuda:0"
        )
    return asked


def _check_folders(asked: TransformersOptions, base_dir: Path) -> None:
    """Refuse what can't be loaded before anything is; on another host nobody has looked yet."""
    problem = asked.problem(base_dir)
    if problem is not None:
        key, why = problem
        raise LoadError(f"{key} = {getattr(asked, key)!r} can't be used: {why}")
