"""Promises about prompts: counted, paid for in every round, and refused in words."""

from __future__ import annotations

from typing import Final

import pytest

from pytest_llmbench.domain.suite import Message
from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.errors import CaseError
from pytest_llmbench.testing.subject import Subject
from pytest_llmbench.testing.terms import (
    Terms,
    asked_or_refused,
    promise,
    promise_translated,
    tokens_of,
)

_COLLAPSED: Final = 0.3
"""A repeated prompt whose first token takes less than this share was not processed again."""

_TELLING: Final = 2.0
"""How many times longer than a short prompt's a long one's first token must take to tell."""

_ATTEMPTS: Final = 3
_PAIRS: Final = 3
_ODD: Final = "Grüße, 世界! 🙂\n\n\tsmall <b>tags</b> and \\n"


class PromptPromises(Terms):
    """What has to happen with what is asked."""

    def test_the_prompt_s_tokens_are_counted(self, subject: Subject) -> None:
        """A longer prompt has more."""
        if not self.counts_tokens:
            pytest.skip("counts_tokens = False")
        short, long = (subject.ask(text).prompt_tokens for text in ("Hello.", "Hello. " * 30))
        promise(
            short is not None and long is not None and long > short + 25,
            f"a prompt of one sentence has prompt_tokens = {short}, one of thirty {long}; count "
            "the whole prompt, template included, in encode or from the server's answer",
        )

    def test_a_repeated_prompt_is_processed_again(self, subject: Subject) -> None:
        """By the engine's own count: nothing is taken from the round before."""
        prompt = self._long_prompt(subject, "Again")
        one, other = subject.ask(prompt), subject.ask(prompt)
        for trace in (one, other):
            promise(
                not trace.cached_prompt_tokens,
                f"{trace.cached_prompt_tokens} of {trace.prompt_tokens} prompt tokens came from a "
                "cache; empty it before every round, or make it miss",
            )
        first, second = (
            None if t.timings is None else t.timings.prefill_tokens for t in (one, other)
        )
        promise(
            first == second,
            f"the engine processed {first} prompt tokens in the first round of a prompt, and "
            f"{second} in the second; empty its cache before every round",
        )

    def test_a_repeated_prompt_takes_as_long(self, subject: Subject) -> None:
        """By the clock, for what an engine does not say: the first token must not come at once."""
        for attempt in range(_ATTEMPTS):
            short, fresh, again = self._first_tokens_ns(subject, attempt)
            if again >= _COLLAPSED * fresh:
                break
        else:
            pytest.fail(
                f"the first token of a long prompt came after {fresh / 1e6:.2f} ms, and after "
                f"{again / 1e6:.2f} ms when it was asked again: the prompt was not processed "
                "again; empty the engine's cache before every round",
                pytrace=False,
            )
        if fresh < _TELLING * short:
            pytest.skip(
                f"a long prompt's first token takes no longer ({fresh / 1e6:.2f} ms) than a short "
                f"one's ({short / 1e6:.2f} ms), so that time tells nothing; raise long_words"
            )

    def test_the_engine_s_own_figures_fit(self, subject: Subject) -> None:
        """Where it keeps timings, they are of this round's tokens."""
        trace = subject.ask(self.question, max_new_tokens=self.answer_tokens)
        timings = trace.timings
        if timings is None:
            pytest.skip("the engine keeps no figures of its own")
        count = tokens_of(trace)
        promise(
            timings.decode_tokens is None or count - 1 <= timings.decode_tokens <= count,
            f"timings.decode_tokens = {timings.decode_tokens}, but {count} tokens came out; it "
            "is all of them, or all but the first",
        )
        promise(
            None in (timings.prefill_tokens, trace.prompt_tokens)
            or timings.prefill_tokens == trace.prompt_tokens,
            f"timings.prefill_tokens = {timings.prefill_tokens}, but the prompt has "
            f"{trace.prompt_tokens} tokens, and none may be left out",
        )

    def test_a_prompt_beyond_the_context_is_refused(self, subject: Subject) -> None:
        """As a CaseError, and the next prompt runs."""
        limit = subject.facts.context_tokens or self.context_tokens
        if limit is None:
            pytest.skip("the context has no limit that is known")
        try:
            trace = subject.ask("word " * (limit + 50))
        except CaseError as exc:
            promise_translated(exc)
        else:
            pytest.fail(
                f"a prompt of {trace.prompt_tokens} tokens was taken, but the context is {limit}; "
                "say the right context_tokens, or raise CaseError",
                pytrace=False,
            )
        promise(bool(subject.ask(self.question).text), "after a refused prompt, none is answered")

    def test_a_chat_template_is_applied_or_refused(self, subject: Subject) -> None:
        """``chat = true`` must apply it, ``chat = false`` must not."""
        chat = asked_or_refused(subject, self.question, chat=True)
        plain = asked_or_refused(subject, self.question, chat=False)
        promise(
            chat is not None or plain is not None,
            "chat = true and chat = false were both refused; one is what chat left out does",
        )
        promise(
            (chat is not None, self.has_chat_template) not in ((True, False), (False, True)),
            f"chat = true was {'taken' if chat else 'refused'}, but has_chat_template is "
            f"{self.has_chat_template}; apply the template if there is one, else raise CaseError",
        )
        if self.has_chat_template and chat is not None and plain is not None:
            self._promise_more(chat, plain)

    def test_a_conversation_is_taken_or_refused(self, subject: Subject) -> None:
        """Several turns, a system's among them; templates without one are refused in words."""
        turns = (
            Message(role="system", content="Be brief."),
            Message(role="user", content=self.question),
            Message(role="assistant", content="I don't know."),
            Message(role="user", content="Think again."),
        )
        trace = asked_or_refused(subject, turns)
        alone = subject.ask(turns[-1:])
        if trace is not None and trace.prompt_tokens is not None:
            assert alone.prompt_tokens is not None, "what was counted is counted"
            promise(
                trace.prompt_tokens > alone.prompt_tokens,
                f"four turns have {trace.prompt_tokens} tokens, the last alone "
                f"{alone.prompt_tokens}; encode all of them",
            )

    def test_any_text_can_be_asked(self, subject: Subject) -> None:
        """Letters of any script, line breaks, and what looks like a special token."""
        trace = asked_or_refused(subject, _ODD)
        promise(
            trace is not None and tokens_of(trace) > 0,
            f"{_ODD!r} was refused, or answered with nothing; any text is a prompt",
        )

    def _long_prompt(self, subject: Subject, first: str) -> str:
        """Return a prompt of about :attr:`long_words` words that fits into the context."""
        words, limit = self.long_words, subject.facts.context_tokens or self.context_tokens
        asked = subject.ask("tell " * 50, max_new_tokens=1).prompt_tokens
        if limit is not None and asked is not None:
            words = min(words, int(50 * 0.6 * limit / asked))
        return f"{first}: " + "tell " * words

    def _first_tokens_ns(self, subject: Subject, attempt: int) -> tuple[int, int, int]:
        """Return the least time to a first token: short prompts', new long ones', repeated ones'.

        Other work on the machine only adds time, so that the least is nearest to the truth.
        """
        short, fresh, again = [], [], []
        for number in range(_PAIRS):
            prompt = self._long_prompt(subject, f"{attempt}{number} times")
            fresh.append(_first_ns(subject.ask(prompt)))
            again.append(_first_ns(subject.ask(prompt)))
            short.append(_first_ns(subject.ask(f"Hello {attempt}{number}")))
        return min(short), min(fresh), min(again)

    def _promise_more(self, chat: Trace, plain: Trace) -> None:
        counts = (plain.prompt_tokens, chat.prompt_tokens)
        promise(
            counts[0] is None or counts[1] is None or counts[0] < counts[1],
            f"with the chat template the prompt has {counts[1]} tokens, without {counts[0]}; "
            "apply it when chat is true",
        )


def _first_ns(trace: Trace) -> int:
    return trace.stamps_ns[0] if trace.stamps_ns else 0
