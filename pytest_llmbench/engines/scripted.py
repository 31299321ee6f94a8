"""An engine that plays a script: for tests of the plugin, of engines' users, and of the gate.

Its time is simulated (stamps follow from the script, nothing sleeps) unless ``work`` asks for
real work of the processor. It can fail in every way that a real engine fails.
"""

from __future__ import annotations

import hashlib
import math
import os
import random
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.claim import Claim, claimed
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.variant import EngineKeys
from pytest_llmbench.engines.protocol import Encoded, Generation, Stamps
from pytest_llmbench.errors import CaseError, EngineNotInstalledError, LoadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NS: Final = 1e9
_BLOCK: Final = bytes(1024)
_TOKENS: Final = 2**16
_FILLER: Final = ("lorem", "ipsum", "dolor", "sit", "amet")


class ScriptedOptions(EngineKeys, frozen=True, kw_only=True):
    """The keys of a variant under ``engine = "scripted"``.

    Attributes:
        text: the answer to every prompt; a token is a word.
        answers: answers to prompts that contain a key of this table, before *text*.
        ttft_s: simulated seconds to the first token.
        itl_s: simulated seconds between tokens.
        jitter: spread of every simulated time, as a share; differs from round to round.
        noise_seed: makes the jitter repeat; without it every process draws its own.
        work: KiB of SHA-256 for each token and, ten times that, for the prompt; above zero the
            stamps are real.
        load_bytes: bytes of memory that loading takes and freeing gives back.
        model_bytes: what the engine says of its weights' size.
        context_tokens: longest prompt plus output.
        revision: part of the variant's identity.
        warn: warnings given while loading.
        not_installed: behave as if the engine's library were absent.
        fail_load: refuse to load, with this reason.
        fail_on: refuse a prompt that contains these words.
        kill_on: die of *kill_signal* on a prompt that contains these words.
        kill_signal: the signal's number (9 is SIGKILL, 11 SIGSEGV).
        kill_on_load: die of *kill_signal* while loading.
        hang_on: never answer a prompt that contains these words.
        doubt: probability that a given text's tokens are denied, and given to all others alike;
            without it the script tells no probabilities.
    """

    text: str = "one two three four five six seven eight"
    answers: dict[str, str] = {}  # noqa: RUF012 — msgspec makes a new one for each
    ttft_s: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.05
    itl_s: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.01
    jitter: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    noise_seed: int | None = None
    work: Annotated[int, Meta(ge=0, le=2**62)] = 0
    load_bytes: Annotated[int, Meta(ge=0, le=2**62)] = 0
    model_bytes: Annotated[int, Meta(ge=0, le=2**62)] = 1000
    context_tokens: int | None = None
    revision: str = "1"
    warn: tuple[str, ...] = ()
    not_installed: bool = False
    fail_load: str | None = None
    fail_on: str | None = None
    kill_on: str | None = None
    kill_signal: int = 9
    kill_on_load: bool = False
    hang_on: str | None = None
    doubt: Annotated[float, Meta(gt=0.0, lt=1.0)] | None = None

    def claim(self, base_dir: Path) -> Claim:  # noqa: ARG002 — nothing is read
        """The memory that the script asks for."""
        return claimed(self.load_bytes, "cpu")


class ScriptedEngine:
    """Plays :class:`ScriptedOptions`."""

    def __init__(self) -> None:
        self._options = ScriptedOptions()
        self._noise = random.Random()  # noqa: S311 — jitter, not secrets
        self._memory = bytearray()

    def start(self) -> None:
        """Nothing to import."""

    def load(self, options: Mapping[str, object], base_dir: Path) -> ModelFacts:  # noqa: ARG002
        """Take the script and the memory it asks for."""
        script = self._options = msgspec.convert(options, ScriptedOptions)
        if script.not_installed:
            raise EngineNotInstalledError(
                "the engine 'scripted' was told not to be installed; set not_installed = false"
            )
        if script.fail_load is not None:
            raise LoadError(script.fail_load)
        if script.kill_on_load:
            _die(script.kill_signal)
        for message in script.warn:
            warnings.warn(message, stacklevel=1)
        self._noise.seed(script.noise_seed)
        self._memory = bytearray(os.urandom(1)) * script.load_bytes
        return ModelFacts(
            identity={"revision": script.revision},
            settings={"clock": "real" if script.work else "simulated"},
            model_bytes=script.model_bytes,
            context_tokens=script.context_tokens,
            device="cpu",
            threads=1,
        )

    def encode(self, messages: tuple[Message, ...], parameters: Parameters) -> Encoded:  # noqa: ARG002
        """A token is a word."""
        text = "\n\n".join(message.content for message in messages)
        return Encoded(payload=text, tokens=max(1, len(text.split())))

    def generate(self, encoded: Encoded, parameters: Parameters, stamps: Stamps) -> Generation:
        """Play the answer, or the failure, that the script has for this prompt."""
        prompt = str(encoded.payload)
        self._misbehave(prompt)
        words, finish = self._words(prompt, parameters)
        play = self._work if self._options.work else self._simulate
        play(words, stamps)
        return Generation(
            text=" ".join(words),
            finish_reason="stop" if finish else "length",
            cached_prompt_tokens=0,
        )

    def vocabulary(self) -> int:
        """As many as two bytes can number."""
        return _TOKENS

    def token_ids(self, encoded: Encoded) -> tuple[int, ...]:
        """A token is a word."""
        return tuple(map(_token_id, str(encoded.payload).split()))

    def text_of(self, ids: tuple[int, ...]) -> str:
        """Words can't be had back from their numbers."""
        return " ".join(map(str, ids))

    def ids_of(self, text: str) -> tuple[int, ...]:
        """A token is a word."""
        return tuple(map(_token_id, text.split()))

    def forced_logits(
        self, encoded: Encoded, continuation: tuple[int, ...], *, step: int
    ) -> Iterator[NDArray[np.float32]]:
        """Yield what the script's doubt comes to."""
        import numpy as np

        self._misbehave(str(encoded.payload))
        doubt = self._options.doubt
        if doubt is None:
            raise CaseError("the script tells no probabilities; set doubt")
        for at in range(0, len(continuation), step):
            block = continuation[at : at + step]
            logits = np.full((len(block), _TOKENS), math.log(doubt / (_TOKENS - 1)), np.float32)
            logits[range(len(block)), block] = math.log1p(-doubt)
            yield logits

    def free(self) -> None:
        """Give the memory back."""
        self._memory = bytearray()

    def _misbehave(self, prompt: str) -> None:
        script = self._options
        if script.fail_on is not None and script.fail_on in prompt:
            raise CaseError(f"the script refuses prompts that contain {script.fail_on!r}")
        if script.kill_on is not None and script.kill_on in prompt:
            _die(script.kill_signal)
        while script.hang_on is not None and script.hang_on in prompt:
            time.sleep(3600)

    def _words(self, prompt: str, parameters: Parameters) -> tuple[list[str], bool]:
        """Return the answer's words, and whether it ended by itself."""
        answers = self._options.answers
        text = next((answers[key] for key in answers if key in prompt), self._options.text)
        words, limit = text.split(), parameters.max_new_tokens
        if parameters.length == "fixed":
            words += [_FILLER[i % len(_FILLER)] for i in range(max(0, limit - len(words)))]
        return words[:limit] or ["."], parameters.length == "natural" and len(words) <= limit

    def _simulate(self, words: list[str], stamps: Stamps) -> None:
        at = 0.0
        for number, word in enumerate(words):
            step = self._options.itl_s if number else self._options.ttft_s
            at += step * (1 + self._options.jitter * self._noise.uniform(-1, 1))
            stamps.token(_token_id(word), at_ns=int(at * _NS))

    def _work(self, words: list[str], stamps: Stamps) -> None:
        _hash(10 * self._options.work)
        for word in words:
            _hash(self._options.work)
            stamps.token(_token_id(word))


def _token_id(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:2])


def _hash(kib: int) -> None:
    digest = hashlib.sha256()
    for _ in range(kib):
        digest.update(_BLOCK)


def _die(number: int) -> None:
    sys.stdout.write(f"the script dies of signal {number} here\n")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.Signals(number))
    time.sleep(3600)
