"""A model in llama.cpp's memory: weights, context and adapter, and what they came to."""

from __future__ import annotations

import ctypes
import os
import random
import re
from pathlib import Path
from typing import Any, Final

import psutil

from pytest_llmbench.engines.llama_cpp.library import assign, gpus
from pytest_llmbench.engines.llama_cpp.log import Log
from pytest_llmbench.engines.llama_cpp.options import LlamaCppOptions, gguf_problem
from pytest_llmbench.engines.llama_cpp.prompt import Vocabulary
from pytest_llmbench.engines.model_files import located
from pytest_llmbench.errors import LoadError

LONGEST_CONTEXT: Final = 4096
"""The context where none is asked for, unless the model's own is shorter: 131072 tokens of an 8 B
model would take 16 GiB."""

KV_TYPES: Final = {
    "f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20,
    "bf16": 30,
}  # fmt: skip
"""ggml_type; the numbers are part of the GGUF format."""

MOST_HELD_BYTES: Final = 2 << 20
"""Held while a context is made anew; as much as the second-level cache of a core has, about."""

_ALL_LAYERS: Final = -1


class LoadedModel:
    """Handles of one model and its context.

    Args:
        llama: the module ``llama_cpp``.
        log: its log.
        asked: the variant's keys.
        base_dir: where relative paths start.

    Attributes:
        memory: handle of the context's cache.
        batch: tokens that one call may take.
        context_tokens: tokens that prompt and output may take together, as asked for.
        cache_tokens: tokens that the cache holds: llama.cpp rounds them up to 256.
        log_lines: what llama.cpp said while it loaded.

    Raises:
        LoadError: llama.cpp can't load it, or not in the way that was asked for.
    """

    def __init__(self, llama: Any, log: Log, asked: LlamaCppOptions, base_dir: Path) -> None:
        self.llama = llama
        self.log = log
        self.asked = asked
        self.model: int | None = None
        self.context: int | None = None
        self._adapter: Any = None
        log.clear(keep=True)
        try:
            self._load(base_dir)
        except LoadError:
            self.free()
            raise
        finally:
            self.log_lines = tuple(log.lines)
            log.clear(keep=False)

    def _load(self, base_dir: Path) -> None:
        self.model = model = self._load_model(located(self.asked.model, base_dir))
        self.vocabulary = Vocabulary(self.llama, model)
        self.context = context = self._create_context(model)
        self.memory = self._require_memory(model, context)
        self.batch: int = self.llama.llama_n_batch(context)
        self.cache_tokens: int = self.llama.llama_n_ctx(context)
        self.context_tokens = min(self._wanted_context(model), self.cache_tokens)
        if self.asked.adapter is not None:
            self._adapter = self._load_adapter(model, located(self.asked.adapter, base_dir))
            self._apply_adapter(context, self._adapter)

    def renew_context(self) -> None:
        """Free the context and make one like it, whose buffers lie elsewhere in memory.

        Memory that was freed is what the allocator gives first; so a random amount of it is held
        meanwhile.

        Raises:
            LoadError: there is no room for it any more.
        """
        assert self.model is not None, "a model that was freed has no context"
        if self.context is not None:
            self.llama.llama_free(self.context)
            self.context = None
        self.log.clear(keep=False)
        held = bytearray(random.randbytes(1)) * random.randrange(MOST_HELD_BYTES)  # noqa: S311
        self.context = context = self._create_context(self.model)
        del held
        self.memory = self.llama.llama_get_memory(context)
        if self._adapter is not None:
            self._apply_adapter(context, self._adapter)

    def free(self) -> None:
        """Give everything back to the system; adapters go with their model."""
        if self.context is not None:
            self.llama.llama_free(self.context)
        if self.model is not None:
            self.llama.llama_model_free(self.model)
        self.context = self.model = None

    def _load_model(self, path: Path) -> int:
        wrong = gguf_problem(path)
        if wrong is not None:
            raise LoadError(f"model = {self.asked.model!r}: {wrong}")
        layers, devices = self._offload()
        parameters = self.llama.llama_model_default_params()
        assign(parameters, n_gpu_layers=layers, load_mode=self._load_mode())
        if devices is not None:
            assign(parameters, devices=ctypes.cast(devices, ctypes.c_void_p))
        model: int | None = self.llama.llama_model_load_from_file(os.fsencode(path), parameters)
        if model is None:
            raise LoadError(
                f"model = {self.asked.model!r} could not be loaded: {self.log.reason}; make or "
                "download it again, update llama-cpp-python, or lower gpu_layers if a GPU is full"
            )
        return model

    def _load_mode(self) -> int:
        modes = {
            (False, False): self.llama.LLAMA_LOAD_MODE_NONE,
            (True, False): self.llama.LLAMA_LOAD_MODE_MMAP,
            (False, True): self.llama.LLAMA_LOAD_MODE_MLOCK,
            (True, True): self.llama.LLAMA_LOAD_MODE_MMAP_MLOCK,
        }
        return int(modes[self.asked.mmap, self.asked.mlock])

    def _offload(self) -> tuple[int, Any]:
        """Return how many layers go to GPUs, and which: ``None`` leaves that to llama.cpp."""
        asked, present = self.asked, gpus(self.llama)
        if asked.device == "cpu":
            return 0, (ctypes.c_void_p * 1)(None)
        if not present and asked.gpu_layers not in ("auto", 0):
            raise LoadError(
                f"gpu_layers = {asked.gpu_layers!r} was asked for, but llama.cpp was built without "
                "GPU support, or sees no GPU; leave gpu_layers out, or install a llama-cpp-python "
                "that was built for the GPU"
            )
        layers = asked.gpu_layers if isinstance(asked.gpu_layers, int) else _ALL_LAYERS
        return (layers if present else 0), self._chosen(present)

    def _chosen(self, present: dict[str, int]) -> Any:
        wanted = self.asked.device
        if wanted == "auto":
            return None
        found = next((name for name in present if wanted in (name, name.partition(":")[0])), None)
        if found is None:
            raise LoadError(
                f"device = {wanted!r} was asked for, but llama.cpp sees "
                f"{', '.join(['cpu', *present])}; choose of these, or install a llama-cpp-python "
                "that was built for the GPU"
            )
        return (ctypes.c_void_p * 2)(present[found], None)

    def _require_memory(self, model: int, context: int) -> int:
        """Return the context's cache; encoders have none, or need more than prompts."""
        memory: int | None = self.llama.llama_get_memory(context)
        encodes = self.llama.llama_model_has_encoder(model)
        if not memory or encodes or self.llama.llama_model_is_diffusion(model):
            raise LoadError(
                f"model = {self.asked.model!r} is no decoder-only language model, and others are "
                'not run by this engine; use engine = "transformers"'
            )
        return memory

    def _wanted_context(self, model: int) -> int:
        trained: int = self.llama.llama_model_n_ctx_train(model)
        if self.asked.context is None:
            return min(trained, LONGEST_CONTEXT)
        return self.asked.context or trained

    def _create_context(self, model: int) -> int:
        tokens = self._wanted_context(model)
        parameters = self._context_parameters(tokens)
        context: int | None = self.llama.llama_init_from_model(model, parameters)
        if context is None:
            raise LoadError(
                f"a context of {tokens} tokens could not be made for model = "
                f"{self.asked.model!r}: {self.log.reason}; lower context, or correct kv_type_k, "
                "kv_type_v or flash_attention"
            )
        return context

    def _context_parameters(self, tokens: int) -> Any:
        asked, parameters = self.asked, self.llama.llama_context_default_params()
        threads = asked.threads or default_threads()
        flash = {"auto": -1, False: 0, True: 1}[asked.flash_attention]
        assign(
            parameters,
            n_ctx=tokens,
            n_batch=asked.batch or parameters.n_batch,
            n_ubatch=asked.micro_batch or parameters.n_ubatch,
            n_threads=threads,
            n_threads_batch=asked.threads_batch or threads,
            flash_attn_type=flash,
            type_k=KV_TYPES[asked.kv_type_k],
            type_v=KV_TYPES[asked.kv_type_v],
            no_perf=False,
        )
        return parameters

    def _load_adapter(self, model: int, path: Path) -> Any:
        wrong = gguf_problem(path)
        if wrong is not None:
            raise LoadError(f"adapter = {self.asked.adapter!r}: {wrong}")
        adapter = self.llama.llama_adapter_lora_init(model, os.fsencode(path))
        if not adapter:
            raise LoadError(
                f"adapter = {self.asked.adapter!r} could not be loaded: {self.log.reason}"
            )
        return adapter

    def _apply_adapter(self, context: int, adapter: Any) -> None:
        adapters = (type(adapter) * 1)(adapter)
        scales = (ctypes.c_float * 1)(self.asked.adapter_scale)
        self.llama.llama_set_adapters_lora(context, adapters, 1, scales)

    def said(self, pattern: str) -> list[re.Match[str]]:
        """Return the matches of *pattern* in what llama.cpp said while it loaded, in order."""
        return [found for line in self.log_lines for found in re.finditer(pattern, line)]


def default_threads() -> int:
    """Return one thread for each physical core that this process may use."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(psutil.cpu_count(logical=False) or 1, allowed or 1)
