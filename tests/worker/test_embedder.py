"""Meanings compared by a real model in its own process, and what becomes of it when it fails."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pytest_llmbench.domain.similarity import Similarity
from pytest_llmbench.errors import SimilarityError
from pytest_llmbench.worker.embedder import Embedder
from tests.docs.pages import DOCS, rows, section
from tests.support import minilm
from tests.worker.conftest import stops

PARIS = "The capital of France is Paris."
LONG = "The river runs through the valley and past the old mill. " * 60


def asked(model: str, window: int | None = None) -> Similarity:
    return Similarity(model=model, device="cpu", window=window, base_dir=Path())


@pytest.fixture(scope="module")
def embedder() -> Iterator[Embedder]:
    made = Embedder(asked(minilm()))
    yield made
    made.close()


def process(embedder: Embedder) -> psutil.Process:
    assert embedder._launched is not None
    return psutil.Process(embedder._launched.process.pid)  # type: ignore[attr-defined]


@pytest.mark.engine("similarity")
def test_the_page_s_examples(embedder: Embedder) -> None:
    table = rows(section(DOCS / "metrics.md", "Similarity"))
    assert len(table) == 5
    for one, other, cosine in table:
        assert embedder.similarity(one, other) == pytest.approx(float(cosine), abs=1e-3), other


@pytest.mark.engine("similarity")
def test_it_is_symmetric_and_rests_between_questions(embedder: Embedder) -> None:
    one = embedder.similarity(PARIS, "It rains in Rome.")
    assert embedder.similarity("It rains in Rome.", PARIS) == pytest.approx(one)
    if sys.platform != "win32":
        assert stops(process(embedder).pid)


@pytest.mark.engine("similarity")
def test_the_end_of_a_long_text_is_heard(embedder: Embedder) -> None:
    """The model itself cuts at 256 tokens, so that these two would be the same to it."""
    other = f"{LONG}But nobody has ever been there, and all of it was a dream of dragons."
    assert embedder.similarity(LONG, f"{LONG}{LONG}") == pytest.approx(1, abs=0.01)
    assert embedder.similarity(LONG, other) < 0.9999
    assert embedder.similarity(LONG, LONG[: len(LONG) // 2] + "Dragons! " * 200) < 0.9


@pytest.mark.parametrize(
    ("one", "other", "cosine"), [("a", "a", 1.0), ("", "", 1.0), ("a", " \n", 0.0), ("", "b", 0.0)]
)
def test_no_model_is_needed_for_what_is_plain(one: str, other: str, cosine: float) -> None:
    made = Embedder(asked("nowhere"))
    assert made.similarity(one, other) == cosine
    assert made._launched is None


@pytest.mark.engine("similarity")
def test_a_model_that_is_not_there_is_named_and_not_tried_again(tmp_path: Path) -> None:
    made = Embedder(asked(str(tmp_path / "nowhere")))
    for _ in range(2):
        with pytest.raises(SimilarityError, match=r"similarity.model = .*nowhere.* could not be"):
            made.similarity("one", "other")
    assert made._launched is None


@pytest.mark.engine("similarity")
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_process_that_is_lost_says_so() -> None:
    made = Embedder(asked(minilm()))
    made.similarity("one", "other")
    os.kill(process(made).pid, signal.SIGKILL)
    with pytest.raises(SimilarityError, match=r"was lost while embedding texts: .*SIGKILL"):
        made.similarity("one", "a third")
    assert made.similarity("same", "same") == 1.0


@pytest.mark.engine("similarity")
def test_closing_leaves_no_process() -> None:
    made = Embedder(asked(minilm()))
    made.similarity("one", "other")
    its = process(made)
    made.close()
    made.close()
    assert not its.is_running()
