"""What a test class says of its engine, and how a promise is asked and found broken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.errors import CaseError, ConfigError, EngineError
from pytest_llmbench.testing.subject import Asked, Subject, check_paths, described

SPECIAL_TOKENS: Final = (
    "<|", "|>", "<s>", "</s>", "<eos>", "<bos>", "<pad>", "<unk>", "<end_of_turn>",
    "<start_of_turn>", "[INST]", "[/INST]",
)  # fmt: skip
"""Texts that only special tokens have, in the vocabularies of many models."""

_SUBJECT: Final[pytest.StashKey[Subject]] = pytest.StashKey()
_RAW: Final = re.compile(r"\w+: .*\([^()\s]+:\d+\)", re.DOTALL)
"""How the worker describes an exception that the engine let through: type, text, file and line."""


class Terms:
    """What a subclass says of its engine; a promise that can't be asked of it is skipped.

    Attributes:
        engine: its name, as in ``engine = "…"``.
        options: the keys of ``[variants.NAME]`` for it. Where they need a path or a server of the
            test's own, leave this out and write a fixture of the name ``options``.
        base_dir: the folder that relative paths start from; pytest's rootdir where ``None``.
        question: a prompt that the model answers, in more than one token.
        answer_tokens: a limit within which its greedy answer ends by itself.
        ends_by_itself: whether it does; models without training never stop.
        fixed_length: whether texts of a fixed length can be had; else they must be refused.
        samples: whether another seed may give another text.
        counts_tokens: whether tokens of prompt and output are counted; some servers don't.
        counts_end_token: whether the end token is one of the output's; not with every server.
        has_chat_template: whether the model has a chat template; ``None``: not known.
        context_tokens: the context, for an engine that can't tell; prompts beyond it are refused.
        long_words: about how many words a long prompt has; it must take longer than a short one.
        special_tokens: texts of which none may be in an answer.
        broken_options: keys of a model that can't be loaded; ``None``: there is no such model.
        load_timeout_s: seconds that loading may take.
        round_timeout_s: seconds that one generation may take.
    """

    engine: str
    options: Mapping[str, object] | None = None
    base_dir: Path | None = None
    question: str = "What is the capital of France?"
    answer_tokens: int = 64
    ends_by_itself: bool = True
    fixed_length: bool = True
    samples: bool = True
    counts_tokens: bool = True
    counts_end_token: bool = True
    has_chat_template: bool | None = None
    context_tokens: int | None = None
    long_words: int = 300
    special_tokens: tuple[str, ...] = SPECIAL_TOKENS
    broken_options: Mapping[str, object] | None = None
    load_timeout_s: float = 900.0
    round_timeout_s: float = 300.0

    @pytest.fixture
    def subject(self, request: pytest.FixtureRequest) -> Subject:
        """The engine with its model: one for all tests of the class."""
        owner = request.node.getparent(pytest.Class)
        assert owner is not None, "a method has a class"
        variant = self._variant(request)
        subject: Subject | None = owner.stash.get(_SUBJECT, None)
        if subject is None or subject.variant != variant:
            if subject is not None:
                subject.close()
            owner.stash[_SUBJECT] = subject = Subject(variant)
            owner.addfinalizer(subject.close)
        return subject

    def _variant(self, request: pytest.FixtureRequest) -> Variant:
        try:
            variant = self._described(self._options(request), request.config.rootpath)
            check_paths(variant)
        except ConfigError as exc:
            pytest.fail(str(exc), pytrace=False)
        return variant

    def _described(self, options: Mapping[str, object], rootdir: Path) -> Variant:
        """Return the variant that these keys make."""
        name = type(self).__name__
        if not hasattr(self, "engine"):
            raise ConfigError(f'{name}: it names no engine; write engine = "…" in the class')
        return described(
            name,
            self.engine,
            options,
            self.base_dir or rootdir,
            load_timeout_s=self.load_timeout_s,
            round_timeout_s=self.round_timeout_s,
        )

    def _options(self, request: pytest.FixtureRequest) -> Mapping[str, object]:
        """Return the class's options, or what the fixture of that name gives."""
        if isinstance(self.options, Mapping):
            return self.options
        try:
            given: Mapping[str, object] = request.getfixturevalue("options")
        except pytest.FixtureLookupError as exc:
            if exc.argname != "options":
                raise
            raise ConfigError(
                f"{type(self).__name__}: it has no options; write options = {{…}} in the class, "
                "or a fixture of that name that returns them"
            ) from exc
        return given


def promise(kept: bool, sentence: str) -> None:  # noqa: FBT001 — reads as an assertion
    """Fail the test with *sentence* unless the promise was kept."""
    if not kept:
        pytest.fail(sentence, pytrace=False)


def asked_or_refused(subject: Subject, asked: Asked, **changed: object) -> Trace | None:
    """Return the answer; ``None`` where the engine refuses in words of its own."""
    try:
        return subject.ask(asked, **changed)
    except CaseError as exc:
        promise_translated(exc)
        return None


def promise_translated(exc: EngineError) -> None:
    """A refusal is a sentence of the engine's, not an exception of its library's."""
    promise(
        not _RAW.fullmatch(str(exc)) and len(str(exc).split()) > 2,
        f"the engine refused with {str(exc)!r}, which is an exception that it let through, or no "
        f"sentence; raise {type(exc).__name__} with what was asked, what was found and what to "
        "type, from the library's exception",
    )


def tokens_of(trace: Trace) -> int:
    """Return how many tokens came out; where nobody counts, how many pieces."""
    return len(trace.stamps_ns) if trace.output_tokens is None else trace.output_tokens
