"""Variants of the transformers engine in workers of their own, as the plugin runs them.

bitsandbytes and peft warn while they are imported, which pytest would turn into errors here; in a
worker warnings are recorded, and what they load ends with it.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pytest_llmbench.domain.case import Parameters
from pytest_llmbench.domain.record import ModelFacts
from pytest_llmbench.domain.suite import Message
from pytest_llmbench.worker.handle import Worker
from pytest_llmbench.worker.pool import WorkerPool
from tests.support import DEMO_MODEL, ROOT, variant

GREEDY: Final = Parameters(
    max_new_tokens=32, temperature=0.0, seed=0, top_p=1.0, top_k=0, length="natural", chat=None
)
DEMO_LORA: Final = str(ROOT / "examples" / "demo_model" / "lora")


@contextlib.contextmanager
def started(**options: object) -> Iterator[Worker]:
    """A worker with the libraries imported; the demo model on one thread unless told otherwise."""
    pool = WorkerPool()
    asked = {"model": DEMO_MODEL, "device": "cpu", "threads": 1, **options}
    try:
        worker = pool.open(variant("it", "transformers", **asked))
        worker.start()
        yield worker
    finally:
        pool.close()


def texts(worker: Worker, questions: Sequence[str], parameters: Parameters = GREEDY) -> list[str]:
    return [
        worker.generate((Message(role="user", content=one),), parameters, "a test").trace.text
        for one in questions
    ]


def answers(questions: Sequence[str], **options: object) -> tuple[ModelFacts, list[str]]:
    """What a fresh worker says of the model and to the questions."""
    with started(**options) as worker:
        facts = worker.load().facts
        return facts, texts(worker, questions)


def config_folder(folder: Path, **changed: object) -> str:
    """A folder that holds nothing but the demo model's config, changed."""
    folder.mkdir()
    config = json.loads((Path(DEMO_MODEL) / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changed}))
    return str(folder)


def copied(folder: str, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target
