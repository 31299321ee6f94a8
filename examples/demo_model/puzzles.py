"""Small puzzles of logic: conclusions, order, choices.

Every family is a function of a `random.Random` alone and returns one new dialogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from dialogue import NAMES, Dialogue, Family, capitalized

KINDS: Final = (
    ("cat", "animal"), ("dog", "animal"), ("horse", "animal"), ("lion", "animal"),
    ("rose", "flower"), ("tulip", "flower"), ("oak", "tree"), ("apple", "fruit"),
    ("car", "machine"), ("robot", "machine"), ("nurse", "person"), ("poet", "person"),
)  # fmt: skip
"""Kinds and the wider groups they belong to."""
NAMED: Final = ("cat", "dog", "horse", "lion", "robot", "nurse", "poet")
"""The kinds whose members have names."""
PLURALS: Final = {"person": "people"}
CAUSES: Final = (
    ("it snows", "it snowed", "the roof turns white", "the roof is white"),
    ("the sun shines", "the sun shone", "the room gets warm", "the room is warm"),
    ("the alarm rings", "the alarm rang", "the dog wakes up", "the dog is awake"),
    ("the lamp is on", "the lamp was on", "the room is bright", "the room is bright"),
    ("the baker works", "the baker worked", "the street smells", "the street smells"),
    ("the pipe breaks", "the pipe broke", "the cellar gets wet", "the cellar is wet"),
)
"""A cause now and in the past, its effect, and what one sees of it."""
COMPARISONS: Final = (("taller", "tallest"), ("older", "oldest"), ("faster", "fastest"))
CATEGORIES: Final = {
    "a fruit": ("apple", "pear", "banana", "cherry", "lemon", "plum"),
    "an animal": ("dog", "cat", "horse", "cow", "lion", "mouse"),
    "a tool": ("hammer", "saw", "drill", "axe", "wrench"),
    "a color": ("red", "green", "blue", "yellow", "white"),
    "a piece of furniture": ("chair", "table", "bed", "cupboard", "shelf"),
    "a body of water": ("river", "lake", "sea", "pond", "stream"),
}
HEAVY: Final = ("box", "bag", "stone", "book", "chair")
LETTERS: Final = "ABCD"


def article(noun: str) -> str:
    """`a` or `an`."""
    return "an" if noun[0] in "aeiou" else "a"


def plural(noun: str) -> str:
    """The plural of one of the nouns in `KINDS`."""
    return PLURALS.get(noun, f"{noun}s")


def membership(random: Random) -> Dialogue:
    """A syllogism with a valid conclusion."""
    kind, group = random.choice([pair for pair in KINDS if pair[0] in NAMED])
    name = random.choice(NAMES)
    rule = f"all {plural(kind)} are {plural(group)}"
    known, asked = f"{name} is {article(kind)} {kind}", f"{article(group)} {group}"
    return Dialogue(
        question=f"{capitalized(rule)}. {known}. Is {name} {asked}?",
        answer=f"Yes. {known}, and {rule}, so {name} is {asked}.",
    )


def converse(random: Random) -> Dialogue:
    """A syllogism turned around: a member of the group need not belong to the kind."""
    kind, group = random.choice(KINDS)
    rule = f"All {plural(kind)} are {plural(group)}"
    subject = "This plant" if group in {"flower", "tree"} else "This"
    return Dialogue(
        question=f"{rule}. {subject} is {article(group)} {group}. "
        f"Is it necessarily {article(kind)} {kind}?",
        answer=f"No. {rule}, but there are other {plural(group)} too, "
        "so it could be something else.",
    )


def effect(random: Random) -> Dialogue:
    """If A then B, and A: so B."""
    condition, happened, consequence, _ = random.choice(CAUSES)
    return Dialogue(
        question=f"If {condition}, {consequence}. {capitalized(happened)}. "
        f"Is it true that {consequence}?",
        answer=f"Yes. {capitalized(happened)}, and if {condition}, {consequence}.",
    )


def cause(random: Random) -> Dialogue:
    """If A then B, and B: nothing follows about A."""
    condition, happened, consequence, seen = random.choice(CAUSES)
    return Dialogue(
        question=f"If {condition}, {consequence}. {capitalized(seen)}. "
        f"Can we be sure that {happened}?",
        answer=f"No. There can be other reasons why {seen}, so we cannot be sure that {happened}.",
    )


def order(random: Random) -> Dialogue:
    """Three people in a row; the answer is the first of them."""
    more, most = random.choice(COMPARISONS)
    first, second, third = random.sample(NAMES, 3)
    question = (
        f"{first} is {more} than {second}. {second} is {more} than {third}. Who is the {most}?"
    )
    if random.random() < 0.5:
        return Dialogue(question=f"{question} Answer with the name only.", answer=first)
    return Dialogue(question=question, answer=f"{first} is the {most}.")


def choice(random: Random, question: str, right: str, wrong: Sequence[str]) -> Dialogue:
    """A question with lettered options in random order; the answer is a letter."""
    options = [right, *wrong]
    random.shuffle(options)
    lines = "\n".join(
        f"{letter}) {option}" for letter, option in zip(LETTERS, options, strict=False)
    )
    return Dialogue(
        question=f"{question}\n{lines}\nAnswer with the letter.",
        answer=LETTERS[options.index(right)],
    )


def which_is(random: Random) -> Dialogue:
    """A choice of the one word that belongs to a category."""
    inside, *outside = random.sample(sorted(CATEGORIES), 3)
    wrong = [random.choice(CATEGORIES[category]) for category in outside]
    right = random.choice(CATEGORIES[inside])
    return choice(random, f"Which of these is {inside}?", right, wrong)


def odd_one(random: Random) -> Dialogue:
    """A choice of the one word that belongs to another category than the rest."""
    rest, other = random.sample(sorted(CATEGORIES), 2)
    right = random.choice(CATEGORIES[other])
    wrong = random.sample(CATEGORIES[rest], 3)
    return choice(random, "Which one does not belong with the others?", right, wrong)


def heavier(random: Random) -> Dialogue:
    """A choice between two weights."""
    one, two = random.sample(HEAVY, 2)
    a, b = random.sample(range(1, 13), 2)
    question = f"A {one} weighs {a} kg and a {two} weighs {b} kg. Which one is heavier?"
    right, wrong = (one, two) if a > b else (two, one)
    return choice(random, question, f"the {right}", [f"the {wrong}"])


PUZZLES: Final[tuple[Family, ...]] = (
    (membership, 100), (converse, 60), (effect, 40), (cause, 40), (order, 200), (which_is, 250),
    (odd_one, 250), (heavier, 150),
)  # fmt: skip
"""Every family, and how many dialogues one epoch draws from it."""
