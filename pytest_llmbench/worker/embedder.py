"""The session's end of the process that embeds texts: started when two texts first differ."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, Final

import execnet
import numpy as np
import psutil

from pytest_llmbench.domain.similarity import Similarity
from pytest_llmbench.errors import SimilarityError
from pytest_llmbench.worker.launch import START_TIMEOUT_S, Launched, import_path, start_here
from pytest_llmbench.worker.remote import FAILURES

_TIMEOUT_S: Final = 300.0


def _boot(channel, log, parent, mark, path, model, device, window):  # type: ignore[no-untyped-def]
    import os
    import sys

    channel.send(os.getpid())
    sys.path[:] = path
    from pytest_llmbench.worker.embedding import serve_embeddings

    serve_embeddings(channel, log, parent, mark, model, device, window)


class Embedder:
    """Says how alike two texts are in meaning. Its process rests between questions.

    Args:
        asked: the model.
    """

    def __init__(self, asked: Similarity) -> None:
        self._asked = asked
        self._group = execnet.Group(execmodel="thread")
        self._launched: Launched | None = None
        self._why: str | None = None
        self._vectors: dict[str, Any] = {}

    def similarity(self, one: str, other: str) -> float:
        """Return the cosine of the embeddings of both texts, -1 to 1.

        Equal texts have 1, and a text without words has 0 with any other.

        Raises:
            SimilarityError: the model can't be loaded, or its process is lost; and ever after.
        """
        if one == other:
            return 1.0
        if not one.strip() or not other.strip():
            return 0.0
        if self._why is not None:
            raise SimilarityError(self._why)
        try:
            vectors = self._embedded(one, other)
        except SimilarityError as exc:
            self._why = str(exc)
            self.close()
            raise
        return float(np.clip(vectors[0] @ vectors[1], -1.0, 1.0))

    def close(self) -> None:
        """End the process; may be called again."""
        launched, self._launched = self._launched, None
        if launched is not None:
            launched.process.kill()
            with contextlib.suppress(*FAILURES):
                launched.gateway.exit()
        self._group.terminate(timeout=1.0)

    def _embedded(self, *texts: str) -> list[Any]:
        wanted = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if wanted:
            launched = self._running()
            launched.process.resume()
            answer = self._asking(launched, wanted, "embedding texts")
            launched.process.suspend()
            for text, data in zip(wanted, answer, strict=True):
                self._vectors[text] = np.frombuffer(data, "<f4").astype(np.float64)
        return [self._vectors[text] for text in texts]

    def _running(self) -> Launched:
        if self._launched is None:
            asked = self._asked
            try:
                self._launched = start_here(
                    _boot,
                    self._group,
                    python=sys.executable,
                    path=import_path(),
                    model=asked.source,
                    device=asked.device,
                    window=asked.window,
                )
            except (*FAILURES, psutil.Error) as exc:
                raise SimilarityError("the process that embeds texts can't start") from exc
            ends = self._asking(self._launched, None, "starting", START_TIMEOUT_S)
            self._launched.process.settle(guarded=not ends)
            self._asking(self._launched, None, "loading its model", START_TIMEOUT_S)
        return self._launched

    def _asking(
        self, launched: Launched, texts: list[str] | None, doing: str, timeout_s: float = _TIMEOUT_S
    ) -> Any:
        """Return the answer to *texts*; without any, wait for the model."""
        try:
            if texts is not None:
                launched.channel.send(texts)
            answer = launched.channel.receive(timeout=timeout_s)
        except launched.channel.TimeoutError:
            raise SimilarityError(
                f"the process that embeds texts gave no answer within {timeout_s:g} s while {doing}"
            ) from None
        except FAILURES as exc:
            ending = launched.process.ended(1.0) or "it closed its channel"
            raise SimilarityError(
                f"the process that embeds texts was lost while {doing}: {ending}"
            ) from exc
        if isinstance(answer, str):
            raise SimilarityError(answer)
        return answer
