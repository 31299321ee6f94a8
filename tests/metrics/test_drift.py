"""How far two sets of probabilities are apart, against the definitions over whole vocabularies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmbench.domain.drift import Drift, ForcedPass, Position
from pytest_llmbench.metrics.alike import first_difference
from pytest_llmbench.metrics.drift import (
    drift,
    drift_metrics,
    not_comparable,
    own_noise,
    text_metrics,
    truncated_drift,
)
from pytest_llmbench.metrics.forced import IDS, LOGPROBS, reduced
from tests.support import token_trace

RANDOM = np.random.default_rng(1)


def some_logits(rows: int = 5, vocabulary: int = 40, *, scale: float = 3.0) -> np.ndarray:
    return (scale * RANDOM.standard_normal((rows, vocabulary))).astype(np.float32)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def seen(logits: np.ndarray, tokens, *, keep=256, asked: ForcedPass | None = None, **more):
    """The pass of a model with these logits."""
    ids = None
    if asked is not None:
        ids = np.frombuffer(asked.kept_ids, IDS).reshape(len(tokens), -1)
    found = reduced([logits], tokens, asked=ids, keep=keep)
    told = {"prompt_ids": (1, 2), "text": "a text", "vocabulary": found.vocabulary, **more}
    arrays = {
        name: getattr(found, name).tobytes()
        for name in ("kept_ids", "kept_logprobs", "rest_logprobs", "token_logprobs", "best_ids")
    }
    return ForcedPass(**told, **arrays)


def whole(p_logits: np.ndarray, q_logits: np.ndarray) -> np.ndarray:
    p, q = log_softmax(p_logits), log_softmax(q_logits)
    return (np.exp(p) * (p - q)).sum(axis=1)


def test_with_all_tokens_kept_it_is_the_divergence() -> None:
    p, q = some_logits(), some_logits()
    reference = seen(p, [1] * 5)
    found = drift("base", reference, seen(q, [1] * 5, asked=reference))
    assert found.to == "base"
    assert found.kl == pytest.approx(whole(p, q), rel=1e-5)
    assert found.agrees == tuple(p.argmax(axis=1) == q.argmax(axis=1))
    own, other = (log_softmax(logits)[:, 1] for logits in (p, q))
    assert found.delta_logp == pytest.approx(other - own, abs=1e-5)
    assert found.delta_p == pytest.approx(np.exp(other) - np.exp(own), abs=1e-6)


@given(keep=st.integers(1, 40), scale=st.floats(0.01, 8))
def test_with_few_it_is_a_lower_bound_that_grows_with_them(keep: int, scale: float) -> None:
    p, q = some_logits(scale=scale), some_logits(scale=scale)
    found = []
    for count in (keep, 40):
        reference = seen(p, [0] * 5, keep=count)
        found.append(drift("base", reference, seen(q, [0] * 5, asked=reference)).kl)
    for few, all_of_them, true in zip(*found, whole(p, q), strict=True):
        assert 0 <= few <= all_of_them + 1e-5 * (1 + true)
        assert all_of_them == pytest.approx(true, rel=1e-4, abs=1e-5)


def test_what_is_the_same_has_none_at_all() -> None:
    reference = seen(p := some_logits(), [3] * 5, keep=4)
    found = drift("base", reference, seen(p, [3] * 5, asked=reference))
    assert found.kl == (0.0,) * 5
    assert found.delta_p == found.delta_logp == (0.0,) * 5
    assert all(found.agrees)


def test_blocks_make_no_difference() -> None:
    logits, tokens = some_logits(), [0, 1, 2, 3, 4]
    at_once, apart = (reduced(blocks, tokens) for blocks in ([logits], logits[:, None, :]))
    for one, other in zip(at_once, apart, strict=True):
        assert np.array_equal(one, other, equal_nan=True)
    assert at_once.kept_ids.dtype == IDS
    assert at_once.kept_logprobs.dtype == LOGPROBS


@pytest.mark.parametrize("rows", [(4,), (6,), (5, 1), (2, 2)])
def test_as_many_positions_as_tokens_or_none(rows: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="5 tokens"):
        reduced([some_logits(count) for count in rows], [0] * 5)


def test_of_a_padded_vocabulary_the_smaller_counts() -> None:
    p, q = some_logits(3, 40), some_logits(3, 30)
    reference = seen(p, [1] * 3)
    found = drift("base", reference, seen(q, [1] * 3, asked=reference))
    assert found.kl == pytest.approx(whole(p[:, :30], q), rel=1e-5)
    padded = np.concatenate([p, np.full((3, 8), -200.0)], axis=1)
    same = drift("base", reference, seen(padded, [1] * 3, asked=reference))
    assert same.kl == pytest.approx((0, 0, 0), abs=1e-6)


def test_what_is_not_the_same_text_is_not_compared() -> None:
    assert not_comparable((1, 2), "a text", (1, 2), "a text") is None
    why = str(not_comparable((1, 2), "a text", (1, 2, 3), "a text"))
    assert "its prompt has other tokens (3) than the reference's (2)" in why
    assert "as another text" in str(not_comparable((1, 2), "a text", (1, 2), "another"))


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_logits_that_are_no_numbers_have_no_drift(broken: float) -> None:
    """A model that is plainly broken must not look like one that is the same."""
    logits = some_logits()
    logits[2, 7] = broken
    with pytest.raises(ValueError, match="no numbers"):
        seen(logits, [1] * 5)


def test_what_a_variant_rules_out_is_as_bad_as_can_be_and_finite() -> None:
    p, q = some_logits(), some_logits()
    q[:, p[0].argmax()] = -np.inf
    reference = seen(p, [1] * 5)
    found = drift("base", reference, seen(q, [1] * 5, asked=reference))
    assert all(map(math.isfinite, found.kl))
    assert found.kl[0] > 10
    nothing_else = np.full((5, 40), -np.inf, dtype=np.float32)
    nothing_else[:, 0] = 0.0
    few = seen(p, [1] * 5, keep=4)
    certain = drift("base", few, seen(nothing_else, [1] * 5, asked=few))
    assert all(0 < kl < 101 for kl in certain.kl)


def test_metrics_of_a_case() -> None:
    found = Drift(
        to="base",
        kl=(0.0, 0.1, 0.2, 0.5),
        agrees=(True, True, True, False),
        delta_p=(0.0, 0.3, 0.0, -0.4),
        delta_logp=(0.0, -0.2, 0.0, -0.2),
    )
    values = {name: measured.value for name, measured in drift_metrics(found).items()}
    assert values == pytest.approx(
        {
            "kl_mean": 0.2,
            "kl_p99": 0.491,
            "kl_max": 0.5,
            "top1_agreement": 0.75,
            "delta_p_rms": 0.25,
            "ppl_ratio": math.exp(0.1),
        }
    )


def test_metrics_of_texts() -> None:
    one = token_trace(text="a b c")
    other = token_trace(text="a b d", token_ids=(0, 1, 7), output_tokens=6)
    same = {n: m.value for n, m in text_metrics(one, one).items()}
    ratio = {"length_ratio": 1.0, "departures": 0.0}
    assert same == {"exact_match": 1.0, "prefix_match_tokens": 3.0, **ratio}
    apart = {n: m.value for n, m in text_metrics(one, other).items()}
    assert apart == {
        "exact_match": 0.0,
        "prefix_match_tokens": 2.0,
        "length_ratio": 2.0,
        "departures": 0.0,
    }
    served = token_trace(text="a b c", token_ids=(), output_tokens=None)
    assert {n: m.value for n, m in text_metrics(one, served).items()} == {
        "exact_match": 1.0,
        "departures": 0.0,
    }


@pytest.mark.parametrize(
    ("one", "other", "common"), [((), (), 0), ((1,), (2,), 0), ((1, 2), (1, 2, 3), 2)]
)
def test_how_much_is_common(one, other, common: int) -> None:
    assert first_difference(one, other) == common


def test_how_far_the_reference_is_from_itself() -> None:
    logits = some_logits()
    tokens = logits.argmax(axis=1)
    one = seen(logits, tokens)
    again = seen(logits + 0.01 * some_logits(scale=1.0), tokens, asked=one)
    noise = own_noise(one, again)
    assert noise["kl_mean"] == drift_metrics(drift("", one, again))["kl_mean"].value > 0
    assert noise["ppl_ratio"] == abs(drift_metrics(drift("", one, again))["ppl_ratio"].value - 1)
    assert set(noise) == {
        "kl_mean", "kl_p99", "kl_max", "top1_agreement", "delta_p_rms", "ppl_ratio",
    }  # fmt: skip
    assert set(own_noise(one, one).values()) == {0.0}


def places(logprobs: np.ndarray, told: int) -> list[Position]:
    rows = [np.argsort(-row)[:told] for row in logprobs]
    return [
        Position(logprobs={f"t{token}": float(row[token]) for token in best})
        for row, best in zip(logprobs, rows, strict=True)
    ]


@pytest.mark.parametrize("told", [2, 5, 20, 40])
def test_what_servers_tell_bounds_the_divergence_from_below(told: int) -> None:
    p, q = (some_logits(rows=8) for _ in range(2))
    q[:5] = p[:5] + 0.1 * q[:5]  # alike at first
    whole_kl = whole(p, q)
    found = truncated_drift("base", places(log_softmax(p), told), places(log_softmax(q), told))
    assert found is not None
    assert found.truncated
    same = int(np.argmin(p.argmax(axis=1) == q.argmax(axis=1)))
    assert len(found.kl) == same + 1, "as far as both say the same, and one token more"
    assert found.agrees == (*[True] * same, False)
    assert (np.array(found.kl) <= whole_kl[: same + 1] + 1e-9).all()
    if told == 40:
        assert found.kl == pytest.approx(whole_kl[: same + 1])
        chosen = p.argmax(axis=1)[: same + 1]
        change = [log_softmax(q)[i, t] - log_softmax(p)[i, t] for i, t in enumerate(chosen)]
        assert found.delta_logp == pytest.approx(change)


def test_of_texts_that_are_told_nowhere_nothing_is_known() -> None:
    assert truncated_drift("base", [], [Position(logprobs={"a": -1.0})]) is None


def test_a_token_that_a_server_does_not_tell_is_at_most_its_last() -> None:
    one, other = (
        Position(logprobs=told) for told in ({"a": -0.1, "b": -3.0}, {"b": -0.1, "c": -4.0})
    )
    found = truncated_drift("base", [one], [other])
    assert found is not None
    assert found.delta_logp == pytest.approx((-3.9,))
    assert found.agrees == (False,)
    assert found.kl[0] > 0


def test_what_shares_nothing_is_far_away() -> None:
    """The most that a server leaves to tokens which it does not tell is little, not anything."""
    one = Position(logprobs={f"a{i}": -3.0 - 0.1 * i for i in range(20)})
    other = Position(logprobs={f"b{i}": -3.0 - 0.1 * i for i in range(20)})
    found = truncated_drift("base", [one], [other])
    assert found is not None
    told = sum(math.exp(p) for p in one.logprobs.values())
    most = min(1 - told, 20 * math.exp(-4.9))
    assert found.kl[0] >= told * math.log(told / most) + (1 - told) * math.log(1 - told) - 1e-9
    assert found.kl[0] > 0.01
