"""What the fixtures ``llmbench`` and ``llmbench_variant`` give to a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from pytest_llmbench.config.gates import parse_gates
from pytest_llmbench.config.place import Place
from pytest_llmbench.domain.case import Case, Parameters
from pytest_llmbench.domain.gate import Gates
from pytest_llmbench.domain.record import CaseRecord, ModelFacts
from pytest_llmbench.domain.suite import Length, Message
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.domain.verdict import Verdict
from pytest_llmbench.errors import ConfigError, EngineNotInstalledError
from pytest_llmbench.runner.bench import Bench
from pytest_llmbench.runner.result import Result


class Benchmark:
    """The fixture ``llmbench``: measures its case when it is called.

    Attributes:
        case: what a call measures.
        judged: what its calls measured, with the verdicts.
    """

    def __init__(self, case: Case, where: str, measure: Callable[[Case, Gates], Result]) -> None:
        self.case = case
        self.judged: list[tuple[CaseRecord, tuple[Verdict, ...]]] = []
        self._where = where
        self._measure = measure

    def __call__(
        self,
        *,
        limits: Mapping[str, str] | None = None,
        tolerance: Mapping[str, str | float] | None = None,
    ) -> Result:
        """Return the case's result, measured now or earlier in this session.

        Args:
            limits: ``{"ttft_s": "<= 80 ms"}``: a broken one fails the test.
            tolerance: ``{"itl_s": "5%"}``: the worsening accepted against the baseline.

        Raises:
            ConfigError: a limit or tolerance that is none.
        """
        place = Place(f"{self._where}: llmbench()")
        gates = parse_gates(limits or {}, tolerance or {}, place, of="case")
        return self._measure(self.case, gates)


class Answer:
    """One generated text with its trace."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    @property
    def text(self) -> str:
        """The text without special tokens."""
        return self.trace.text

    @property
    def tokens(self) -> tuple[int, ...]:
        """The generated tokens, the end token included; empty where a server gives none."""
        return self.trace.token_ids

    @property
    def finish_reason(self) -> str:
        """``stop`` at an end token, ``length`` at the token limit."""
        return self.trace.finish_reason

    def __repr__(self) -> str:
        """The text: what a failed assertion shows."""
        count = self.trace.output_tokens
        tokens = "tokens not counted" if count is None else f"{count} tokens"
        return f"<Answer {self.text!r} ({tokens}, {self.finish_reason})>"


class LoadedVariant:
    """The fixture ``llmbench_variant``: one variant, loaded at its first use, once a session.

    Attributes:
        id: its name in the configuration.
    """

    def __init__(
        self, name: str, bench: Bench, absent: Callable[[EngineNotInstalledError], NoReturn]
    ) -> None:
        self.id = name
        self._bench = bench
        self._absent = absent

    @property
    def facts(self) -> ModelFacts:
        """What the engine says of the loaded model: identity, settings, size, context, device."""
        try:
            return self._bench.facts(self.id)
        except EngineNotInstalledError as exc:
            self._absent(exc)

    def generate(
        self,
        prompt: str | Sequence[Mapping[str, str]],
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        seed: int = 0,
        top_p: float = 1.0,
        top_k: int = 0,
        length: Length = "natural",
        chat: bool | None = None,
    ) -> Answer:
        """Return one answer. Arguments are those of a suite, see ``docs/config.md``.

        Args:
            prompt: a user's words, or turns ``{"role": …, "content": …}``.
            max_new_tokens: at most this many tokens.
            temperature: 0 is greedy.
            seed: of sampling.
            top_p: nucleus share.
            top_k: number of candidates, 0 keeps all.
            length: ``fixed`` generates exactly *max_new_tokens*.
            chat: apply the chat template; ``None`` does so where the model has one.

        Raises:
            LlmbenchError: the variant can't be loaded, is lost, or refuses the prompt.
        """
        if max_new_tokens < 1:
            raise ConfigError(
                f"generate: max_new_tokens = {max_new_tokens} was asked for; write at least 1"
            )
        parameters = Parameters(
            max_new_tokens=max_new_tokens,
            temperature=float(temperature),
            seed=seed,
            top_p=top_p,
            top_k=top_k,
            length=length,
            chat=chat,
        )
        try:
            return Answer(self._bench.generate(self.id, _messages(prompt), parameters).trace)
        except EngineNotInstalledError as exc:
            self._absent(exc)


def _messages(prompt: str | Sequence[Mapping[str, str]]) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    messages = tuple(Message(role=turn["role"], content=turn["content"]) for turn in prompt)
    if not messages or messages[-1].role == "assistant":
        raise ConfigError(
            "the prompt's last message is the assistant's, which some engines go on with and "
            "others answer; end with a user message"
            if messages
            else "the prompt has no messages; write what the model is asked"
        )
    return messages
