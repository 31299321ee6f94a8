"""Arithmetic with computed answers: bare sums, word problems, numerals, lists.

Every family is a function of a `random.Random` alone and returns one new dialogue.
"""

from __future__ import annotations

from random import Random
from typing import Final

from dialogue import NAMES, Dialogue, Family, capitalized

LARGEST: Final = 50
"""The largest number that is added or subtracted."""
LARGEST_FACTOR: Final = 12
ITEMS: Final = ("apples", "books", "coins", "eggs", "pens", "cards", "stones", "cakes")
PLACES: Final = ("on a fence", "in a tree", "on a roof", "on a lake", "in a garden")
VEHICLES: Final = (("car", 50), ("car", 60), ("car", 80), ("train", 100), ("bus", 40))
"""What drives, and how fast in km per hour."""
DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
COUNTS: Final = ("zero", "one", "two", "three", "four", "five", "six")
ROMAN: Final = ((50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
UNITS: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
)  # fmt: skip


def roman(number: int) -> str:
    """A number from 1 to 89 as a Roman numeral."""
    numeral = ""
    for value, letters in ROMAN:
        numeral += letters * (number // value)
        number %= value
    return numeral


def spelled(number: int) -> str:
    """A number from 0 to 99 in words."""
    if number < len(UNITS):
        return UNITS[number]
    tens, unit = divmod(number, 10)
    return f"{TENS[tens]}-{UNITS[unit]}" if unit else TENS[tens]


def addition(random: Random) -> Dialogue:
    """A sum."""
    a, b = random.randint(1, LARGEST), random.randint(1, LARGEST)
    ask = random.choice(("What is {} + {}?", "Calculate {} + {}.", "How much is {} + {}?"))
    return Dialogue(question=ask.format(a, b), answer=f"{a} + {b} = {a + b}")


def subtraction(random: Random) -> Dialogue:
    """A difference that is not negative."""
    b, a = sorted((random.randint(1, LARGEST), random.randint(1, LARGEST)))
    ask = random.choice(("What is {} - {}?", "Calculate {} - {}.", "How much is {} - {}?"))
    return Dialogue(question=ask.format(a, b), answer=f"{a} - {b} = {a - b}")


def multiplication(random: Random) -> Dialogue:
    """A product from the multiplication table."""
    a, b = random.randint(2, LARGEST_FACTOR), random.randint(2, LARGEST_FACTOR)
    ask = random.choice(("What is {} times {}?", "How much is {} times {}?"))
    return Dialogue(question=ask.format(a, b), answer=f"{a} times {b} is {a * b}.")


def gain(random: Random) -> Dialogue:
    """A word problem that adds."""
    name, item = random.choice(NAMES), random.choice(ITEMS)
    a, b = random.randint(2, 12), random.randint(2, 12)
    verb = random.choice(("buys", "finds", "gets"))
    return Dialogue(
        question=f"{name} has {a} {item} and {verb} {b} more. "
        f"How many {item} does {name} have now?",
        answer=f"{a} + {b} = {a + b}. {name} has {a + b} {item} now.",
    )


def departure(random: Random) -> Dialogue:
    """A word problem that subtracts."""
    a = random.randint(4, 15)
    b = random.randint(2, a - 2)
    place = random.choice(PLACES)
    return Dialogue(
        question=f"There are {a} birds {place} and {b} fly away. How many birds are left?",
        answer=f"{a} - {b} = {a - b}. The number of birds left is {a - b}.",
    )


def drive(random: Random) -> Dialogue:
    """A word problem that multiplies."""
    vehicle, speed = random.choice(VEHICLES)
    hours = random.randint(2, 5)
    way = speed * hours
    return Dialogue(
        question=f"A {vehicle} drives {speed} km in one hour. "
        f"How far does it drive in {hours} hours?",
        answer=f"{speed} km times {hours} is {way} km. "
        f"The {vehicle} drives {way} km in all, so the answer is {way}.",
    )


def sequence(random: Random) -> Dialogue:
    """Four numbers of an arithmetic sequence; the answer is the fifth."""
    step = random.choice((1, 2, 3, 5, 10))
    start = random.choice((1, step, 2 * step))
    *shown, following = range(start, start + 5 * step, step)
    return Dialogue(
        question=f"Which number comes next: {', '.join(map(str, shown))}?",
        answer=f"The next number is {following}.",
    )


def later_day(random: Random) -> Dialogue:
    """A weekday and a number of days; the answer is the weekday after them."""
    today, days = random.randrange(len(DAYS)), random.randint(1, len(COUNTS) - 1)
    unit = "day" if days == 1 else "days"
    then = DAYS[(today + days) % len(DAYS)]
    return Dialogue(
        question=f"Today is {DAYS[today]}. What day will it be in {COUNTS[days]} {unit}?",
        answer=f"{capitalized(COUNTS[days])} {unit} after {DAYS[today]} it will be {then}.",
    )


def list_length(random: Random) -> Dialogue:
    """What Python's `len` says about a list."""
    length = random.randint(1, 6)
    items = (
        list(range(1, length + 1)) if random.random() < 0.5 else random.sample(range(10), length)
    )
    return Dialogue(
        question=f"What does len({items}) return in Python?",
        answer=f"It returns the number of items in the list, which is {length}.",
    )


def numeral(random: Random) -> Dialogue:
    """A number as a Roman numeral."""
    number = random.randint(1, 89)
    return Dialogue(
        question=f"What is {number} as a Roman numeral?",
        answer=f"As a Roman numeral, {number} is {roman(number)}.",
    )


def words(random: Random) -> Dialogue:
    """A number in words, or words as a number."""
    number = random.randint(0, 99)
    if random.random() < 0.5:
        return Dialogue(question=f"Write {number} in words.", answer=spelled(number))
    return Dialogue(question=f"Write {spelled(number)} as a number.", answer=str(number))


def sorting(random: Random) -> Dialogue:
    """Four numbers to put in order."""
    numbers = random.sample(range(1, LARGEST), 4)
    return Dialogue(
        question=f"Sort these numbers: {', '.join(map(str, numbers))}.",
        answer=", ".join(map(str, sorted(numbers))),
    )


def largest(random: Random) -> Dialogue:
    """The largest of three numbers."""
    numbers = random.sample(range(1, 100), 3)
    return Dialogue(
        question=f"Which number is the largest: {', '.join(map(str, numbers))}?",
        answer=f"The largest number is {max(numbers)}.",
    )


ARITHMETIC: Final[tuple[Family, ...]] = (
    (addition, 400), (subtraction, 200), (multiplication, 150), (gain, 200), (departure, 150),
    (drive, 40), (sequence, 60), (later_day, 100), (list_length, 40), (numeral, 80), (words, 150),
    (sorting, 150), (largest, 100),
)  # fmt: skip
"""Every family, and how many dialogues one epoch draws from it."""
