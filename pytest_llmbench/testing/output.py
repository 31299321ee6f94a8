"""Promises about what comes out: its stamps, its end, its length, its randomness."""

from __future__ import annotations

import itertools
from typing import Final

import pytest

from pytest_llmbench.domain.trace import Trace
from pytest_llmbench.testing.subject import Subject
from pytest_llmbench.testing.terms import Terms, asked_or_refused, promise, tokens_of

_FIXED: Final = 40
_HOT: Final = 1.5
_SEEDS: Final = (1, 2, 3, 4, 5, 6)
_BEFORE: Final = ("Hello.", "One more question.")
_ATTEMPTS: Final = 3
_IN_A_PAUSE: Final = 0.5
"""Share of a whole round's time from which on a round with pauses has computed all its tokens."""

_AT_ONCE: Final = 0.02
"""Share of a round's time within which no engine decodes 39 of 40 tokens."""


class OutputPromises(Terms):
    """What every text and its stamps have to be."""

    def test_every_arrival_has_a_stamp_and_time_never_falls(self, subject: Subject) -> None:
        """One stamp a token; or one a chunk of a server, which says how many tokens there were."""
        trace = self._answer(subject)
        promise(len(trace.stamps_ns) > 0, "nothing was stamped; call stamps.token as tokens come")
        promise(trace.stamps_ns[0] > 0, "the first stamp is at the very start; take the real time")
        promise(
            all(one <= next_ for one, next_ in itertools.pairwise(trace.stamps_ns)),
            f"the stamps' time falls: {trace.stamps_ns}; stamp tokens in the order in which they "
            "come, by one clock",
        )
        if trace.arrivals == "chunks":
            self._promise_chunks(trace)

    def test_stamps_are_taken_as_tokens_come(self, subject: Subject) -> None:
        """Not after the whole text is there: the time between tokens would be lost."""
        for _ in range(_ATTEMPTS):  # other work on this machine may delay a first token
            stamps = self._long_text(subject).stamps_ns
            if len(stamps) < 2:
                pytest.skip("there is no text of several arrivals")
            if stamps[-1] - stamps[0] > _AT_ONCE * stamps[-1]:
                return
        pytest.fail(
            f"{len(stamps)} arrivals have their stamps within {stamps[-1] - stamps[0]} ns, after "
            f"{stamps[0]} ns: the text was generated first and stamped later; stamp each token "
            "when it reaches the host",
            pytrace=False,
        )

    def test_nothing_goes_on_in_a_pause(self, subject: Subject) -> None:
        """Rounds of variants that take turns are cut, and time between two slices is nobody's.

        A pause after every token is longer than a token takes. What is computed in pauses would
        be had for nothing; other work on this machine only makes it take longer.
        """
        took = list[tuple[int, int]]()
        for _ in range(_ATTEMPTS):
            whole = self._long_text(subject)
            if len(whole.stamps_ns) < 2:
                pytest.skip("there is no text of several arrivals")
            token_s = 1e-9 * whole.stamps_ns[-1] / len(whole.stamps_ns)
            cut, pauses = self._long_text_in_slices(subject, pause_s=2 * token_s)
            if not pauses:
                pytest.skip("its rounds are not cut")
            promise(
                (cut.text, cut.token_ids) == (whole.text, whole.token_ids),
                f"in slices the text is {cut.text!r}, in one piece {whole.text!r}; something "
                "depends on when stamps.token returns",
            )
            took.append((_decoding_ns(cut), _decoding_ns(whole)))
            if took[-1][0] > _IN_A_PAUSE * took[-1][1]:
                return
        pytest.fail(
            f"with a pause after every token, tokens took {took[-1][0]} ns, and {took[-1][1]} ns "
            "in one piece: the engine goes on in a pause; hand stamps.token what waits for the "
            "work under way (settle=…)",
            pytrace=False,
        )

    def test_greedy_repeats(self, subject: Subject) -> None:
        """The same prompt gives the same text, whatever was asked in between, by fresh buffers too.

        Those of an engine that can have them (``reallocate``).
        """
        one = self._answer(subject)
        subject.ask("Count to three.")
        subject.reallocate()
        other = self._answer(subject)
        promise(
            (one.text, one.token_ids, one.finish_reason)
            == (other.text, other.token_ids, other.finish_reason),
            f"at temperature 0 the same prompt gave {one.text!r}, then {other.text!r}; "
            "something of the round between was kept, fresh buffers (reallocate) lack something, "
            "or something is drawn at random",
        )

    def test_an_answer_ends_by_itself(self, subject: Subject) -> None:
        """With natural length, generation stops at the model's end token."""
        trace = self._ended(subject)
        promise(
            trace.finish_reason == "stop" and tokens_of(trace) < self.answer_tokens,
            f"the answer {trace.text!r} has {tokens_of(trace)} tokens and finish_reason "
            f"{trace.finish_reason!r}; stop at every end token of the model and say 'stop', or "
            "write ends_by_itself = False if this model never does",
        )

    def test_the_end_token_counts(self, subject: Subject) -> None:
        """It was generated too: with one token less, the text is whole and the limit is hit."""
        if not self.counts_end_token:
            pytest.skip("counts_end_token = False")
        whole = self._ended(subject)
        count = tokens_of(whole)
        short = subject.ask(self.question, max_new_tokens=max(1, count - 1))
        promise(
            (short.text, short.finish_reason) == (whole.text, "length"),
            f"{whole.text!r} has {count} tokens, but with max_new_tokens = {count - 1} it is "
            f"{short.text!r} (finish_reason {short.finish_reason!r}): the end token is not "
            "counted; stamp it, as a token without text",
        )

    def test_no_special_token_is_shown(self, subject: Subject) -> None:
        """The text is what a reader sees."""
        trace = self._answer(subject)
        shown = [token for token in self.special_tokens if token in trace.text]
        promise(
            not shown, f"the text {trace.text!r} shows {shown}; decode it without special tokens"
        )
        promise(bool(trace.text.strip()), f"the answer to {self.question!r} has no text")

    def test_the_limit_is_kept_and_named(self, subject: Subject) -> None:
        """``max_new_tokens`` cuts, and finish_reason says that it did."""
        trace = subject.ask(self.question, max_new_tokens=2)
        promise(
            (tokens_of(trace), trace.finish_reason) == (2, "length"),
            f"max_new_tokens = 2 gave {tokens_of(trace)} tokens and finish_reason "
            f"{trace.finish_reason!r}; stop there and say 'length'",
        )

    def test_one_token_is_enough(self, subject: Subject) -> None:
        """The shortest text is a text."""
        trace = subject.ask(self.question, max_new_tokens=1)
        promise(
            tokens_of(trace) == 1 and len(trace.stamps_ns) <= 1,
            f"max_new_tokens = 1 gave {tokens_of(trace)} tokens in {len(trace.stamps_ns)} arrivals",
        )

    def test_a_fixed_length_is_exact_or_refused(self, subject: Subject) -> None:
        """``length = "fixed"`` goes on past end tokens; an engine that can't says so."""
        trace = asked_or_refused(subject, self.question, max_new_tokens=_FIXED, length="fixed")
        if trace is None:
            promise(
                not self.fixed_length,
                'length = "fixed" was refused; if the engine can\'t do it, write '
                "fixed_length = False",
            )
            return
        promise(
            (tokens_of(trace), trace.finish_reason) == (_FIXED, "length"),
            f'length = "fixed" with max_new_tokens = {_FIXED} gave {tokens_of(trace)} tokens and '
            f"finish_reason {trace.finish_reason!r}; let no end token stop it, or raise CaseError",
        )
        promise(self.fixed_length, "a fixed length was exact; remove fixed_length = False")

    def test_seeded_sampling_repeats(self, subject: Subject) -> None:
        """The seed alone decides: rounds of a case have one text."""
        one, other = (
            asked_or_refused(subject, self.question, temperature=_HOT, seed=7) for _ in range(2)
        )
        if one is None or other is None:
            pytest.skip("sampling is refused")
        promise(
            (one.text, one.token_ids) == (other.text, other.token_ids),
            f"temperature {_HOT} with seed 7 gave {one.text!r}, then {other.text!r}; seed the "
            "sampling with parameters.seed in every round",
        )

    def test_another_seed_gives_another_text(self, subject: Subject) -> None:
        """Neither the seed nor the temperature is forgotten."""
        if not self.samples:
            pytest.skip("samples = False")
        texts = [
            None if trace is None else (trace.text, trace.token_ids)
            for trace in (
                asked_or_refused(subject, self.question, temperature=_HOT, seed=seed)
                for seed in _SEEDS
            )
        ]
        if None in texts:
            pytest.skip("sampling is refused")
        promise(
            len(set(texts)) > 1,
            f"temperature {_HOT} gave the same text with {len(_SEEDS)} seeds; hand temperature "
            "and parameters.seed to the sampler",
        )

    @pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-6}], ids=["top_k", "top_p"])
    def test_sampling_from_one_candidate_is_greedy(
        self, subject: Subject, narrow: dict[str, float]
    ) -> None:
        """``top_k`` and ``top_p`` are obeyed or refused, never ignored.

        In half precision two tokens can have exactly the same logit, and either is right. So one
        question may come out otherwise, where two others come out alike.
        """
        unlike = []
        for question in (self.question, *(f"{before} {self.question}" for before in _BEFORE)):
            trace = asked_or_refused(subject, question, temperature=_HOT, seed=7, **narrow)
            if trace is None:
                return
            greedy = subject.ask(question)
            if trace.text != greedy.text:
                unlike.append(f"{trace.text!r} and not {greedy.text!r}")
            elif not unlike:
                return
        promise(
            len(unlike) <= 1,
            f"temperature {_HOT} with {narrow} leaves one candidate a token, but gave "
            f"{', '.join(unlike)}; hand it to the sampler, or raise CaseError",
        )

    def _answer(self, subject: Subject) -> Trace:
        return subject.ask(self.question, max_new_tokens=self.answer_tokens)

    def _ended(self, subject: Subject) -> Trace:
        if not self.ends_by_itself:
            pytest.skip("ends_by_itself = False")
        return self._answer(subject)

    def _long_text(self, subject: Subject) -> Trace:
        length = "fixed" if self.fixed_length else "natural"
        return subject.ask(self.question, max_new_tokens=_FIXED, length=length)

    def _long_text_in_slices(self, subject: Subject, *, pause_s: float) -> tuple[Trace, int]:
        length = "fixed" if self.fixed_length else "natural"
        return subject.ask_in_slices(
            self.question, tokens=1, pause_s=pause_s, max_new_tokens=_FIXED, length=length
        )

    def _promise_chunks(self, trace: Trace) -> None:
        first = trace.first_response_ns
        promise(
            first is not None and first <= trace.stamps_ns[0],
            f"the first response ({first} ns) is not before the first chunk "
            f"({trace.stamps_ns[0]} ns); call stamps.response at the first answer of any kind",
        )
        if not self.counts_tokens:
            return
        promise(
            trace.output_tokens is not None and trace.output_tokens >= len(trace.stamps_ns),
            f"{len(trace.stamps_ns)} chunks came with output_tokens = {trace.output_tokens}; "
            "take the server's own count, or write counts_tokens = False where it has none",
        )


def _decoding_ns(trace: Trace) -> int:
    return trace.stamps_ns[-1] - trace.stamps_ns[0]
