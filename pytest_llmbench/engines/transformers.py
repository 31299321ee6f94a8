"""Hugging Face transformers: any causal language model, in float32, float16 or bfloat16.

Read in transformers 5.23: ``generate`` hands its streamer the prompt first, then every token
after copying it to the host, so that a stamp is exact on CPU and CUDA. On MPS it streams one
step behind; there the stamps are taken as each step's scores arrive. ``generate`` fills what a
given generation config leaves open from the model's own, which may sample or penalize: the
model's is therefore reduced to its token ids when it is loaded.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.fingerprint import folder_fingerprint
from pytest_llmbench.engines.protocol import Encoded, Generation, Stamps, Survey
from pytest_llmbench.errors import CaseError, EngineNotInstalledError, LoadError

if TYPE_CHECKING:
    import torch

_TOKEN_IDS: Final = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")


class TransformersOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "transformers"``.

    Attributes:
        model: a folder (relative to the configuration file) or a model's name on the hub.
        revision: branch, tag or commit on the hub.
        tokenizer: folder or name of the tokenizer, where it is not the model's.
        dtype: precision of the weights; ``auto`` keeps what the checkpoint has.
        device: ``auto`` takes CUDA, else MPS, else the CPU.
        attention: the attention implementation, e.g. ``eager``, ``sdpa``, ``flash_attention_2``.
        threads: CPU threads of torch.
        trust_remote_code: run Python code that comes with the model. Only for models you trust.
    """

    model: Annotated[str, Meta(min_length=1)]
    revision: str | None = None
    tokenizer: str | None = None
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    device: Annotated[str, Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    attention: str | None = None
    threads: Annotated[int, Meta(ge=1)] | None = None
    trust_remote_code: bool = False

    def problem(self, base_dir: Path) -> tuple[str, str] | None:
        """A name that can only be a path has to be a folder; others may be on the hub."""
        folder = base_dir / Path(self.model).expanduser()
        if folder.is_dir() or not _is_path(self.model, base_dir):
            return None
        found = "is a file, not a folder" if folder.exists() else "does not exist"
        return "model", f"the model folder {folder} {found}; correct the path"


def survey() -> Survey:
    """Return the devices that torch sees here; imports torch."""
    torch: Any = importlib.import_module("torch")
    importlib.import_module("transformers")
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices += ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return Survey(devices=tuple(devices), notes=(_instruction_set(torch),))


def _instruction_set(torch: Any) -> str:
    return f"torch uses {torch.backends.cpu.get_cpu_capability()} on the CPU"


class TransformersEngine:
    """Runs :class:`TransformersOptions` through ``AutoModelForCausalLM.generate``."""

    def __init__(self) -> None:
        # Any: torch and transformers are foreign, and present only in the worker.
        self._torch: Any = None
        self._transformers: Any = None
        self._model: Any = None
        self._tokenizer: Any = None

    def start(self) -> None:
        """Import torch and transformers."""
        try:
            self._torch = importlib.import_module("torch")
            self._transformers = importlib.import_module("transformers")
        except ImportError as exc:
            raise EngineNotInstalledError(
                f"the engine 'transformers' needs {exc.name or exc}, which is not installed; "
                "type: pip install 'pytest-llmbench[transformers]'"
            ) from exc
        self._transformers.utils.logging.disable_progress_bar()

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:
        """Load tokenizer and weights onto the device."""
        asked = msgspec.convert(options, TransformersOptions)
        if asked.threads is not None:
            self._torch.set_num_threads(asked.threads)
        device = self._device(asked.device)
        folder = base_dir / Path(asked.model).expanduser()
        source = str(folder) if folder.is_dir() else asked.model
        try:
            self._tokenizer = self._load_tokenizer(asked, source, base_dir)
            self._model = self._load_model(asked, source, device)
        except (OSError, ValueError, ImportError, RuntimeError, KeyError) as exc:
            raise LoadError(_load_problem(asked, folder, exc)) from exc
        self._keep_token_ids_only()
        return self._facts(asked, folder, device)

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:
        """Return ``input_ids`` and ``attention_mask`` of shape ``(1, prompt tokens)``."""
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
        ids = encoded["input_ids"].to(self._model.device)
        return Encoded(payload=ids, tokens=ids.shape[1])

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        """Run ``generate`` once, on an empty cache."""
        if not parameters.greedy:
            self._torch.manual_seed(parameters.seed)
        ids: Any = encoded.payload
        watch = _watch(stamps, self._torch, str(self._model.device.type))
        try:
            self._model.generate(
                ids,
                attention_mask=self._torch.ones_like(ids),
                generation_config=self._generation_config(parameters),
                streamer=watch.streamer,
                logits_processor=watch.processors,
            )
        except self._torch.OutOfMemoryError as exc:
            raise CaseError(f"the device ran out of memory: {_first_line(exc)}") from exc
        watch.finish()
        ended = parameters.length == "natural" and stamps.ids[-1] in self._end_tokens()
        return Generation(
            text=self._tokenizer.decode(stamps.ids, skip_special_tokens=True),
            finish_reason="stop" if ended else "length",
            cached_prompt_tokens=0,
        )

    def free(self) -> None:
        """Drop model and tokenizer and empty the device allocator's pool."""
        self._model = self._tokenizer = None
        gc.collect()
        if self._torch.cuda.is_available():
            self._torch.cuda.empty_cache()
        elif self._torch.backends.mps.is_available():
            self._torch.mps.empty_cache()

    def _device(self, asked: str) -> str:
        torch = self._torch
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

    def _load_tokenizer(self, asked: TransformersOptions, source: str, base_dir: Path) -> Any:
        if asked.tokenizer is not None:
            own = base_dir / asked.tokenizer
            source = str(own) if own.is_dir() else asked.tokenizer
        return self._transformers.AutoTokenizer.from_pretrained(
            source, revision=asked.revision, trust_remote_code=asked.trust_remote_code
        )

    def _load_model(self, asked: TransformersOptions, source: str, device: str) -> Any:
        dtype = asked.dtype if asked.dtype == "auto" else getattr(self._torch, asked.dtype)
        model = self._transformers.AutoModelForCausalLM.from_pretrained(
            source,
            revision=asked.revision,
            trust_remote_code=asked.trust_remote_code,
            dtype=dtype,
            attn_implementation=asked.attention,
            device_map=None if device == "cpu" else device,
        )
        return model.eval()

    def _keep_token_ids_only(self) -> None:
        theirs = self._model.generation_config
        kept = {name: getattr(theirs, name, None) for name in _TOKEN_IDS}
        if kept["pad_token_id"] is None:
            ends = kept["eos_token_id"]
            kept["pad_token_id"] = ends[0] if isinstance(ends, list) else ends
        self._model.generation_config = self._transformers.GenerationConfig(**kept)

    def _facts(self, asked: TransformersOptions, folder: Path, device: str) -> ModelFacts:
        config, torch = self._model.config, self._torch
        local = folder.is_dir()
        identity = {
            "model": asked.model if not local else folder.name,
            "weights": folder_fingerprint(folder) if local else str(config._commit_hash),  # noqa: SLF001 — the only place that holds it
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "device": device.partition(":")[0],
        }
        settings = {
            "attention": str(config._attn_implementation),  # noqa: SLF001 — as above
            "torch_threads": str(torch.get_num_threads()),
            "cuda": str(torch.version.cuda or "none"),
        }
        tensors = [*self._model.parameters(), *self._model.buffers()]
        return ModelFacts(
            identity=identity,
            settings=settings,
            model_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
            context_tokens=getattr(config.get_text_config(), "max_position_embeddings", None),
            device=str(self._model.device),
        )

    def _templated(self, parameters: Parameters) -> bool:
        has_template = self._tokenizer.chat_template is not None
        if parameters.chat and not has_template:
            raise CaseError(
                "chat = true was asked for, but the model's tokenizer has no chat template; "
                "leave chat out or write chat = false"
            )
        return has_template if parameters.chat is None else parameters.chat

    def _generation_config(self, parameters: Parameters) -> Any:
        sampling = {
            "temperature": parameters.temperature,
            "top_p": parameters.top_p,
            "top_k": parameters.top_k,
        }
        fixed = {"min_new_tokens": parameters.max_new_tokens}
        return self._transformers.GenerationConfig(
            max_new_tokens=parameters.max_new_tokens,
            do_sample=not parameters.greedy,
            **({} if parameters.greedy else sampling),
            **(fixed if parameters.length == "fixed" else {}),
        )

    def _end_tokens(self) -> set[int]:
        ends = self._model.generation_config.eos_token_id
        return set(ends) if isinstance(ends, list) else {ends}


class _StreamedStamps:
    """A streamer that stamps every token put to it; the first put is the prompt."""

    processors: None = None

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._prompt_seen = False

    @property
    def streamer(self) -> _StreamedStamps:
        """Itself: the object that ``generate`` calls."""
        return self

    def put(self, value: torch.Tensor) -> None:
        """Stamp a token; *value* has shape ``(1,)`` and is on the host already."""
        if self._prompt_seen:
            self._stamps.token(int(value))
        self._prompt_seen = True

    def end(self) -> None:
        """All tokens were put."""

    def finish(self) -> None:
        """All stamps were taken."""


class _ScoredStamps:
    """Stamps each step as its scores arrive, for devices that stream a step behind (MPS)."""

    def __init__(self, stamps: Stamps, torch: Any) -> None:
        self._stamps = stamps
        self._torch = torch
        self._arrivals: list[int] = []
        self._late = _LateTokens()
        self.streamer = self._late

    @property
    def processors(self) -> list[Any]:
        """A logits processor that changes nothing and notes the time."""
        return [self._arrived]

    def _arrived(self, _ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if scores.device.type == "mps":
            self._torch.mps.synchronize()
        self._arrivals.append(self._stamps.elapsed_ns())
        return scores

    def finish(self) -> None:
        """Pair tokens with arrivals; a step beyond the last token was undone by ``generate``."""
        for token, at_ns in zip(self._late.tokens, self._arrivals, strict=False):
            self._stamps.token(token, at_ns=at_ns)


class _LateTokens:
    """A streamer that keeps the tokens; the first put is the prompt."""

    def __init__(self) -> None:
        self._prompt_seen = False
        self.tokens: list[int] = []

    def put(self, value: torch.Tensor) -> None:
        if self._prompt_seen:
            self.tokens.append(int(value))
        self._prompt_seen = True

    def end(self) -> None:
        """All tokens were put."""


def _watch(stamps: Stamps, torch: Any, device: str) -> _StreamedStamps | _ScoredStamps:
    return _ScoredStamps(stamps, torch) if device == "mps" else _StreamedStamps(stamps)


def _is_path(model: str, base_dir: Path) -> bool:
    """Whether *model* can't be a hub name, which is ``name`` or ``owner/name``."""
    parts = Path(model).parts
    owner_is_folder = len(parts) > 1 and (base_dir / parts[0]).is_dir()
    ends = model.startswith((".", "/", "~")) or model.endswith("/")
    return ends or len(parts) > 2 or owner_is_folder or (base_dir / model).is_file()


def _load_problem(asked: TransformersOptions, folder: Path, exc: Exception) -> str:
    """Say why the model could not be loaded: a missing folder first, else the library's word."""
    if not folder.exists():
        return (
            f"model = {asked.model!r} is neither a folder ({folder} does not exist) nor a model "
            f"that the hub gave: {_first_line(exc)} Correct the path, or download the model first"
        )
    return f"model = {asked.model!r} could not be loaded: {_first_line(exc)}"


def _first_line(exc: Exception) -> str:
    return next(iter(str(exc).strip().splitlines()), type(exc).__name__)
