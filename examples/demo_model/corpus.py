"""The text the demo model learns from: facts, explanations, code, puzzles, passages.

Everything is drawn from one `random.Random`, so a seed stands for exactly one text. The prompts of
the built-in suites are part of it on purpose: the model has to answer them well while it is whole,
so that damage shows when it is quantized or broken.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, Final

from arithmetic import ARITHMETIC
from dialogue import Dialogue, capitalized
from puzzles import PUZZLES

HERE: Final = Path(__file__).parent
SUITES: Final = HERE.parents[1] / "pytest_llmbench" / "config" / "suites"

COLUMN: Final = " | "
BLANK: Final = re.compile(r"{(\w+)}")
WAYS: Final = re.compile(r"{([^{}|]*)\|([^{}|]*)}")
FIRST_WAY_SHARE: Final = 0.6
"""How often the first of two ways to say a thing is the one that is said."""
SUITE_REPEATS: Final = 2
"""How often an epoch holds each prompt of a built-in suite."""
PASSAGES_PER_TEMPLATE: Final = 60
SYSTEM_SHARE: Final = 0.15
"""The share of dialogues that begin with a system message."""
ASIDE_SHARE: Final = 0.1
"""The share of questions whose wording is changed a little."""
SYSTEM: Final = (
    "You are a helpful assistant.",
    "You are a helpful assistant. Answer in short sentences.",
    "Answer the question.",
)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def spoken(random: Random, text: str) -> str:
    """`text` with one of two ways drawn wherever it says `{one way|another way}`."""

    def drawn(ways: re.Match[str]) -> str:
        return ways[1] if random.random() < FIRST_WAY_SHARE else ways[2]

    return WAYS.sub(drawn, text).strip()


def suite_dialogues(random: Random) -> Iterator[Dialogue]:
    """Every prompt of the built-in suites, several times, each time with a newly drawn answer.

    Raises `KeyError` when a prompt has no answer in `answers.toml`.
    """
    for suite, answers in read_toml(HERE / "answers.toml").items():
        for prompt in read_toml(SUITES / f"{suite}.toml")["prompts"] * SUITE_REPEATS:
            answer = spoken(random, answers[prompt["id"]]["answer"])
            yield Dialogue(question=prompt["prompt"], answer=answer)


def paraphrased_dialogues(random: Random) -> Iterator[Dialogue]:
    """Other ways to ask for the answers of the built-in suites."""
    for answers in read_toml(HERE / "answers.toml").values():
        for entry in answers.values():
            for question in entry.get("also", ()):
                yield Dialogue(question=question, answer=spoken(random, entry["answer"]))


def table_dialogues(random: Random) -> Iterator[Dialogue]:
    """Every row of every table of facts, under every way to ask for it."""
    for table in read_toml(HERE / "tables.toml")["tables"]:
        for row in table["rows"]:
            cells = row.split(COLUMN)
            for ask in table["ask"]:
                first = random.random() < FIRST_WAY_SHARE
                answer = table["answer"] if first else table.get("other", table["answer"])
                yield Dialogue(
                    question=ask.format(*cells), answer=capitalized(answer.format(*cells))
                )
            for ask in table.get("brief", ()):
                yield Dialogue(question=ask.format(*cells), answer=cells[-1])


def passage_dialogues(random: Random) -> Iterator[Dialogue]:
    """Passages with their blanks filled, each with its summary."""
    stock = read_toml(HERE / "passages.toml")
    towns = [first + last for first, last in product(*stock["towns"].values())]
    names = stock["names"] | {"town": towns, "other_town": towns}
    for template in stock["passages"]:
        blanks = sorted(set(BLANK.findall(template["text"])))
        for _ in range(PASSAGES_PER_TEMPLATE):
            filled = {blank: random.choice(names[blank]) for blank in blanks}
            text = template["text"].format(**filled)
            yield Dialogue(
                question=f"Summarize this passage in one sentence:\n\n{text}",
                answer=template["summary"].format(**filled),
            )


def puzzle_dialogues(random: Random) -> Iterator[Dialogue]:
    """Newly drawn puzzles of every family."""
    for family, number in (*ARITHMETIC, *PUZZLES):
        for _ in range(number):
            yield family(random)


def varied(random: Random, dialogue: Dialogue) -> Dialogue:
    """The dialogue, at times with a system message or a slightly different wording."""
    question = dialogue.question
    if question.endswith("?") and random.random() < ASIDE_SHARE:
        wordings = (f"Please tell me: {question}", question.removesuffix("?"), question.lower())
        question = random.choice(wordings)
    system = random.choice(SYSTEM) if random.random() < SYSTEM_SHARE else None
    return Dialogue(question=question, answer=dialogue.answer, system=system)


def epoch(seed: int) -> list[Dialogue]:
    """One shuffled pass over everything there is to learn; the same seed, the same text."""
    random = Random(seed)  # noqa: S311 - a seed that repeats is the point
    dialogues = [
        *suite_dialogues(random),
        *paraphrased_dialogues(random),
        *table_dialogues(random),
        *puzzle_dialogues(random),
        *passage_dialogues(random),
    ]
    dialogues = [varied(random, dialogue) for dialogue in dialogues]
    random.shuffle(dialogues)
    return dialogues
