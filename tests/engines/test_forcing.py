"""Teacher-forced passes: what an engine says of a given text, against other ways to compute it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.drift import ForcedPass
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.errors import CaseError
from pytest_llmbench.metrics.drift import drift
from pytest_llmbench.metrics.forced import IDS, LOGPROBS
from pytest_llmbench.worker import Worker, WorkerPool
from pytest_llmbench.worker.child import Loop
from pytest_llmbench.worker.messages import Force, Forced, Weigh, Weighed
from tests.support import DEMO_MODEL, demo_form, variant

GREEDY = Parameters(
    max_new_tokens=24, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
PROMPTS = (
    (Message(role="user", content="What is the capital of France?"),),
    (Message(role="user", content="Explain what a computer is."),),
)
ONE_THREAD = {"device": "cpu", "threads": 1}
Form = tuple[str, dict[str, object]]
FORMS: dict[str, Form] = {
    "transformers": ("transformers", {"model": DEMO_MODEL, "dtype": "float32", **ONE_THREAD}),
    "llama-cpp": ("llama-cpp", {"model": "f16.gguf", **ONE_THREAD}),
    "q4_0": ("llama-cpp", {"model": "q4_0.gguf", **ONE_THREAD}),
    "kv-q4_0": (
        "llama-cpp",
        {
            "model": "f16.gguf",
            "kv_type_k": "q4_0",
            "kv_type_v": "q4_0",
            "flash_attention": True,
            **ONE_THREAD,
        },
    ),
    "mlx": ("mlx", {"model": "mlx-f16", "device": "cpu"}),
    "mlx-kv-4": ("mlx", {"model": "mlx-f16", "device": "cpu", "kv_bits": 4}),
}


@contextlib.contextmanager
def running(form: str | Form) -> Iterator[Worker]:
    engine, options = FORMS[form] if isinstance(form, str) else form
    model = str(options["model"])
    where = model if Path(model).is_absolute() else demo_form(model)
    pool = WorkerPool()
    try:
        worker = pool.open(variant("it", engine, **{**options, "model": where}))
        worker.start()
        worker.load()
        yield worker
    finally:
        pool.close()


@pytest.fixture(scope="module")
def reference() -> list[tuple[tuple[int, ...], ForcedPass]]:
    """For each prompt the tokens that the reference says, and how probable it finds them."""
    with running("transformers") as worker:
        found = []
        for prompt in PROMPTS:
            tokens = worker.generate(prompt, GREEDY, "a test").trace.token_ids
            seen = worker.force(prompt, GREEDY, tokens, "a test")
            assert seen is not None
            found.append((tokens, seen))
        return found


Reference = list[tuple[tuple[int, ...], ForcedPass]]


def seen_by(form: str | Form, reference: Reference, *, step: int = 128) -> list[ForcedPass]:
    with running(form) as worker:
        passes = [
            worker.force(prompt, GREEDY, tokens, "a test", like=seen, step=step)
            for prompt, (tokens, seen) in zip(PROMPTS, reference, strict=True)
        ]
    assert all(passes)
    return [seen for seen in passes if seen is not None]


def mean_kl(reference: Reference, passes: list[ForcedPass]) -> float:
    kl = [drift("it", own, other).kl for (_, own), other in zip(reference, passes, strict=True)]
    return float(np.mean(np.concatenate(kl)))


@pytest.mark.engine("transformers")
def test_a_greedy_text_is_the_most_probable_one(reference: Reference) -> None:
    for tokens, seen in reference:
        assert tuple(np.frombuffer(seen.best_ids, IDS)) == tokens
        kept = np.frombuffer(seen.kept_ids, IDS).reshape(len(tokens), -1)
        logprobs = np.frombuffer(seen.kept_logprobs, LOGPROBS).reshape(len(tokens), -1)
        assert kept.shape[1] == 256
        assert tuple(kept[:, 0]) == tokens
        assert (np.diff(logprobs, axis=1) <= 0).all(), "most probable first"
        rest = np.exp(np.frombuffer(seen.rest_logprobs, LOGPROBS).astype(float))
        assert np.exp(logprobs.astype(float)).sum(axis=1) + rest == pytest.approx(1, abs=1e-6)


@pytest.mark.engine("transformers")
def test_the_divergence_is_that_of_the_whole_vocabulary_from_below(
    reference: Reference, tmp_path: Path
) -> None:
    """Against float64 over all tokens: both models whole, in one forward pass without a cache."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    load = functools.partial(transformers.AutoModelForCausalLM.from_pretrained, dtype=torch.float32)
    damaged, other = load(DEMO_MODEL), str(tmp_path / "damaged")
    with torch.no_grad():
        weight = damaged.model.layers[2].mlp.down_proj.weight
        weight += 2 * weight.std() * torch.randn(weight.shape, generator=torch.manual_seed(0))
    damaged.save_pretrained(other)
    transformers.AutoTokenizer.from_pretrained(DEMO_MODEL).save_pretrained(other)

    def logprobs(folder: str, ids: list[int], count: int) -> np.ndarray:
        with torch.no_grad():
            logits = load(folder).double()(torch.tensor([ids])).logits[0, -count - 1 : -1]
        return torch.log_softmax(logits, dim=-1).numpy()

    form = ("transformers", {"model": other, "dtype": "float32", **ONE_THREAD})
    passes = seen_by(form, reference)
    for (tokens, own), its in zip(reference, passes, strict=True):
        ids = [*own.prompt_ids, *tokens]
        p, q = (logprobs(folder, ids, len(tokens)) for folder in (DEMO_MODEL, other))
        whole = (np.exp(p) * (p - q)).sum(axis=1)
        found, kept = np.array(drift("it", own, its).kl), np.frombuffer(own.kept_ids, IDS)
        others = np.ones(p.shape, dtype=bool)
        np.put_along_axis(others, kept.reshape(len(tokens), -1), values=False, axis=1)
        hidden = np.where(others, np.exp(p) * (p - q), 0).sum(axis=1)
        seen = np.log(np.where(others, np.exp(p), 0).sum(axis=1))
        seen = np.exp(seen) * (seen - np.log(np.where(others, np.exp(q), 0).sum(axis=1)))
        assert whole.mean() > 1e-3
        assert (found <= whole + 1e-5).all(), "a lower bound"
        assert found == pytest.approx(whole - (hidden - seen), rel=1e-5, abs=1e-5), (
            "less the tail's inside"
        )


@pytest.mark.engine("transformers")
@pytest.mark.parametrize("step", [1, 5, 128])
def test_the_same_model_has_no_drift_however_it_is_computed(
    reference: Reference, step: int
) -> None:
    passes = seen_by("transformers", reference, step=step)
    assert mean_kl(reference, passes) < 1e-6
    for (_, own), other in zip(reference, passes, strict=True):
        assert (own.prompt_ids, own.text) == (other.prompt_ids, other.text)
        assert all(drift("it", own, other).agrees)


@pytest.mark.engine("llama-cpp")
def test_llama_cpp_in_16_bits_has_hardly_any_and_in_4_bits_some(reference: Reference) -> None:
    half, quarter = (seen_by(name, reference, step=7) for name in ("llama-cpp", "q4_0"))
    for (_, own), other in zip(reference, half, strict=True):
        assert (own.prompt_ids, own.text) == (other.prompt_ids, other.text)
        assert all(drift("it", own, other).agrees)
    assert mean_kl(reference, half) < 1e-4 < mean_kl(reference, quarter)


@pytest.mark.engine("llama-cpp")
def test_a_pair_of_gguf_files_diverges_as_all_of_their_logits_say() -> None:
    """The mean that ``llama-perplexity --kl-divergence`` prints, over the whole vocabulary.

    All logits by llama-cpp-python's own class, in one batch, summed in float64; with the attention
    that llama.cpp chooses by itself here.
    """
    llama_cpp = pytest.importorskip("llama_cpp")

    def all_logprobs(form: str, ids: list[int]) -> np.ndarray:
        model = llama_cpp.Llama(
            demo_form(form), n_ctx=512, logits_all=True, n_threads=1, n_threads_batch=1,
            flash_attn=True, verbose=False,
        )  # fmt: skip
        model.eval(ids)
        logits = np.array(model.scores[: len(ids)], dtype=np.float64)
        model.close()
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    with running("llama-cpp") as worker:
        tokens = worker.generate(PROMPTS[1], GREEDY, "a test").trace.token_ids
        own = worker.force(PROMPTS[1], GREEDY, tokens, "a test")
    with running("q4_0") as worker:
        its = worker.force(PROMPTS[1], GREEDY, tokens, "a test", like=own)
    assert own is not None
    assert its is not None
    found = np.array(drift("f16", own, its).kl)
    ids = [*own.prompt_ids, *tokens]
    p, q = (all_logprobs(form, ids)[-len(tokens) - 1 : -1] for form in ("f16.gguf", "q4_0.gguf"))
    whole = (np.exp(p) * (p - q)).sum(axis=1)
    assert whole.mean() > 1e-3
    assert (found <= whole + 1e-5).all()
    assert found.mean() > 0.9 * whole.mean(), "what 256 of 2560 tokens do not tell"
    kept = np.argsort(-p, axis=1)[:, :256]
    p_kept, q_kept = (np.take_along_axis(side, kept, axis=1) for side in (p, q))
    p_rest, q_rest = (np.log(1 - np.exp(side).sum(axis=1)) for side in (p_kept, q_kept))
    bound = (np.exp(p_kept) * (p_kept - q_kept)).sum(axis=1) + np.exp(p_rest) * (p_rest - q_rest)
    assert found == pytest.approx(bound, rel=1e-2, abs=1e-5)


@pytest.mark.engine("llama-cpp")
def test_a_cache_of_low_precision_shows(reference: Reference) -> None:
    whole, low = (seen_by(name, reference) for name in ("llama-cpp", "kv-q4_0"))
    assert mean_kl(reference, low) > 10 * mean_kl(reference, whole)


@pytest.mark.engine("mlx")
def test_mlx_in_16_bits_has_hardly_any_and_its_cache_of_4_bits_some(reference: Reference) -> None:
    whole, low = (seen_by(name, reference, step=7) for name in ("mlx", "mlx-kv-4"))
    for (_, own), other in zip(reference, whole, strict=True):
        assert (own.prompt_ids, own.text) == (other.prompt_ids, other.text)
    assert 10 * mean_kl(reference, whole) < mean_kl(reference, low)


@pytest.mark.engine("transformers")
def test_what_does_not_fit_is_refused(reference: Reference) -> None:
    with running("transformers") as worker:
        with pytest.raises(CaseError, match="there is no text to force"):
            worker.force(PROMPTS[0], GREEDY, (), "a test")
        with pytest.raises(CaseError, match="the reference's text has others"):
            worker.force(PROMPTS[0], GREEDY, (10**6,), "a test")
        other = msgspec.structs.replace(reference[0][1], prompt_ids=(1, 2))
        with pytest.raises(CaseError, match="its prompt has other tokens"):
            worker.force(PROMPTS[0], GREEDY, reference[0][0], "a test", like=other)
        with pytest.raises(CaseError, match="but the model's context is"):
            worker.force(PROMPTS[0], GREEDY, (1,) * 100_000, "a test")
        assert worker.force(PROMPTS[0], GREEDY, reference[0][0], "a test") == reference[0][1]


@pytest.mark.engine("llama-cpp")
@pytest.mark.parametrize("name", ["llama-cpp", "mlx"])
def test_tokens_of_another_vocabulary_are_not_computed(name: str, reference: Reference) -> None:
    """llama.cpp would abort the process, MLX read beside its embedding."""
    with running(name) as worker:
        with pytest.raises(CaseError, match="the reference's text has others"):
            worker.force(PROMPTS[0], GREEDY, (5, 10**6), "a test")
        assert worker.force(PROMPTS[0], GREEDY, reference[0][0], "a test") is not None


@pytest.mark.engine("transformers")
@pytest.mark.engine("llama-cpp")
@pytest.mark.engine("mlx")
def test_choices_weigh_the_same_under_every_engine() -> None:
    """And what they weigh is the model's own, computed in float64 without any of them."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(DEMO_MODEL)
    model = transformers.AutoModelForCausalLM.from_pretrained(DEMO_MODEL).double()
    turns = [{"role": "user", "content": PROMPTS[0][0].content}]
    prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
    choices = ("Paris", "The capital of France is Paris.", "Rome", "<|im_end|>")
    wanted = []
    for choice in choices:
        ids = tokenizer(choice, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
        rows = torch.log_softmax(logits, dim=-1)
        wanted.append(float(rows[range(len(ids)), ids].sum()))
    for form in ("transformers", "llama-cpp", "mlx"):
        with running(form) as worker:
            found = worker.weigh(PROMPTS[0], GREEDY, choices, "a test")
        assert found == pytest.approx(wanted, rel=0.02, abs=0.05), form
    assert wanted[3] < wanted[2] < min(wanted[:2])


@pytest.mark.engine("llama-cpp")
def test_a_choice_that_can_not_be_weighed_is_refused() -> None:
    with running("llama-cpp") as worker:
        with pytest.raises(CaseError, match="the choice '' has no token"):
            worker.weigh(PROMPTS[0], GREEDY, ("Paris", ""), "a test")
        with pytest.raises(
            CaseError, match=r"and the choice .* tokens, but the model's context is"
        ):
            worker.weigh(PROMPTS[0], GREEDY, ("word " * 50_000,), "a test")
        assert worker.weigh(PROMPTS[0], GREEDY, ("Paris",), "a test") is not None


def test_an_engine_that_can_not_says_so() -> None:
    loop = Loop(ends_with_parent=False, pause=lambda: None)
    loop._engine = object()  # type: ignore[assignment]  # has none of the methods
    force = Force(messages=PROMPTS[0], parameters=GREEDY, continuation=(1,), step=None, like=None)
    assert loop.answer(force) == Forced(seen=None)
    weigh = Weigh(messages=PROMPTS[0], parameters=GREEDY, choices=("a", "b"))
    assert loop.answer(weigh) == Weighed(logprobs=None)
