"""Suite files: TOML for people, JSONL (one prompt a line, same keys) for data sets."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Final, get_args

import msgspec

from pytest_llmbench.config.place import Place, unknown
from pytest_llmbench.config.tables import PromptTable, SuiteFileTable, decode
from pytest_llmbench.domain.json_text import is_json
from pytest_llmbench.domain.suite import Message, Prompt, Scorer

BUILTIN_SUITES: Final = ("exo-five", "bootcamp-three", "riddle", "tasks", "grid")
"""Names of the suites that come with this package."""

_ID: Final = re.compile(r"[\w.+/@-]+")
_CHOICE: Final = re.compile(r"\s*\(?[A-Za-z]\)?\.?\s*")
_SCORER: Final = re.compile(r"(?P<home>[^:]+\.py|[A-Za-z_][\w.]*):(?P<name>[A-Za-z_]\w*)")
_WITHOUT_EXPECTED: Final = (None, "json", "python", "code")
_NAMES: Final = ", ".join(f'"{name}"' for name in get_args(Scorer))


def read_builtin(name: str, place: Place) -> tuple[Prompt, ...]:
    """Return the prompts of the built-in suite *name*, asked for at *place*."""
    if name not in BUILTIN_SUITES:
        raise place.error(unknown(name, "built-in suite", BUILTIN_SUITES))
    text = resources.files(__package__).joinpath("suites", f"{name}.toml").read_text("utf-8")
    return _read_toml(text, Place(f"built-in suite {name}"))


def read_suite_file(path: Path, place: Place) -> tuple[Prompt, ...]:
    """Return the prompts in the file at *path*, which *place* names.

    Raises:
        ConfigError: no such file, a syntax error, an unknown key, a prompt without words or
            with the assistant's last, two prompts of one id, or no prompt at all.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        reason = exc.strerror or "unreadable"
        raise place.error(f"can't read the suite file {path}: {reason}; correct the path") from exc
    except UnicodeDecodeError as exc:
        raise place.error(f"the suite file {path} is not UTF-8 text; save it as UTF-8") from exc
    reader = {".toml": _read_toml, ".jsonl": _read_jsonl}.get(path.suffix)
    if reader is None:
        raise place.error(f"the suite file {path} is neither .toml nor .jsonl; rename it")
    prompts = reader(text, Place(str(path)))
    return tuple(_with_scorer_from(path.parent.absolute(), prompt) for prompt in prompts)


def _with_scorer_from(folder: Path, prompt: Prompt) -> Prompt:
    """Return *prompt*, whose scorer's file is looked for in *folder*."""
    home, colon, name = (prompt.scorer or "").rpartition(":")
    if not home.endswith(".py"):
        return prompt
    return msgspec.structs.replace(prompt, scorer=f"{folder / home}{colon}{name}")


def _read_toml(text: str, place: Place) -> tuple[Prompt, ...]:
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise place.error(f"not valid TOML: {exc}") from exc
    table = decode(raw, SuiteFileTable, place)
    return _prompts(
        (place / "prompts" / number, prompt) for number, prompt in enumerate(table.prompts, 1)
    ) or _empty(place, '[[prompts]]\nid = "hello"\nprompt = "Say hello."')


def _read_jsonl(text: str, place: Place) -> tuple[Prompt, ...]:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return _prompts(
        (Place(place.file, f"line {number}"), _json_line(line, Place(place.file, f"line {number}")))
        for number, line in lines
    ) or _empty(place, '{"id": "hello", "prompt": "Say hello."}')


def _json_line(line: str, place: Place) -> Mapping[str, object]:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise place.error(f"not valid JSON: {exc}") from exc
    if not isinstance(raw, dict):
        raise place.error(f"a line is one prompt as a JSON object, found {type(raw).__name__}")
    return raw


def _empty(place: Place, example: str) -> tuple[Prompt, ...]:
    raise place.error(f"the suite is empty; add a prompt, such as:\n{example}")


def _prompts(tables: Iterable[tuple[Place, Mapping[str, object]]]) -> tuple[Prompt, ...]:
    prompts: dict[str, Prompt] = {}
    for number, (place, raw) in enumerate(tables, 1):
        prompt = _prompt(decode(raw, PromptTable, place), place, default_id=f"p{number}")
        if prompt.id in prompts:
            raise place.error(
                f"the id {prompt.id!r} is already taken by {prompts[prompt.id].source}; "
                "give each prompt of a suite an id of its own"
            )
        prompts[prompt.id] = prompt
    return tuple(prompts.values())


def _prompt(table: PromptTable, place: Place, *, default_id: str) -> Prompt:
    name = default_id if table.id is None else table.id
    if not _ID.fullmatch(name):
        raise (place / "id").error(f"{name!r} may hold letters, digits and . _ - + / @ only")
    return Prompt(
        id=name,
        messages=_messages(table, place),
        task=table.task,
        expect=_expected(table.expect, place / "expect"),
        score=_scorer(table, place),
        source=str(place),
        scorer=table.scorer,
        choices=table.choices or (),
    )


def _messages(table: PromptTable, place: Place) -> tuple[Message, ...]:
    if (table.prompt is None) == (table.messages is None):
        raise place.error(
            'write either prompt = "…" or messages = [{role = "user", content = "…"}]'
        )
    turns = table.messages or ()
    messages = tuple(Message(role=turn.role, content=turn.content) for turn in turns)
    if table.prompt is not None:
        messages = (Message(role="user", content=table.prompt),)
    if not any(message.content.strip() for message in messages):
        raise place.error("the prompt has no words; write what the model is asked")
    if messages[-1].role == "assistant":
        raise place.error(
            "its last message is the assistant's, which some engines go on with and others answer; "
            'end with a user message: {role = "user", content = "…"}'
        )
    return messages


def _expected(expect: object, place: Place) -> str | float | None:
    """Return *expect* as it is kept: a table or a list as JSON."""
    if isinstance(expect, dict | list):
        try:
            return json.dumps(expect, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as exc:
            raise place.error(f"it can't be written as JSON: {exc}; correct it") from exc
    return expect  # type: ignore[return-value]  # the rest of the table's types


def _scorer(table: PromptTable, place: Place) -> Scorer | None:
    if table.expect is not None and table.score is None:
        raise place.error(f"expect needs score, one of {_NAMES}")
    if table.expect is None and table.score not in _WITHOUT_EXPECTED:
        raise place.error(f'score = "{table.score}" needs expect = …, the expected answer')
    _check_keys(table, place)
    if table.score is not None:
        _check_expected(table, place / "expect")
    return table.score


def _check_keys(table: PromptTable, place: Place) -> None:
    """Refuse a scorer without what it needs, and what only another scorer needs."""
    for key, score, example in (
        ("scorer", "python", '"scoring.py:right"'),
        ("choices", "loglikelihood", '["Paris", "Rome"]'),
    ):
        given = getattr(table, key) is not None
        if given and table.score != score:
            raise (place / key).error(f'it is for score = "{score}" alone; write that or drop it')
        if table.score == score and not given:
            raise place.error(f'score = "{score}" needs {key} = {example}')
    if table.scorer is not None and not _SCORER.fullmatch(table.scorer):
        raise (place / "scorer").error(
            f"{table.scorer!r} names no function; write FILE.py:NAME, the file beside the suite's, "
            "or MODULE:NAME"
        )


def _check_expected(table: PromptTable, place: Place) -> None:
    """Refuse an expected answer that its scorer can't read."""
    expect, score = table.expect, table.score
    if isinstance(expect, dict | list) and score not in ("json", "json-schema", "python"):
        raise place.error(f'score = "{score}" needs a text or a number, found {expect!r}')
    if score == "number" and not _is_number(expect):
        raise place.error(f'score = "number" needs a number, found {expect!r}')
    if score == "regex":
        _check_pattern(str(expect), place)
    if score == "choice" and not _CHOICE.fullmatch(str(expect)):
        raise place.error(f'score = "choice" needs one letter A to Z, found {expect!r}')
    if score == "json" and isinstance(expect, str | float) and not is_json(str(expect)):
        raise place.error(f'score = "json" needs expect to be JSON or absent, found {expect!r}')
    if score == "json-schema":
        _check_schema(expect, place)
    if score == "loglikelihood":
        _check_choices(table.choices or (), expect, place)


def _check_choices(choices: tuple[str, ...], expect: object, place: Place) -> None:
    if len(set(choices)) < max(2, len(choices)) or not all(choice.strip() for choice in choices):
        raise place.error(f"choices needs two different texts or more, found {list(choices)}")
    if expect not in choices:
        raise place.error(f"{expect!r} is not among choices; write one of {list(choices)}")


def _check_schema(expect: object, place: Place) -> None:
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for

    try:
        schema = json.loads(expect) if isinstance(expect, str) else expect
    except (ValueError, RecursionError) as exc:
        raise place.error(f'score = "json-schema" needs a schema, found no JSON: {exc}') from exc
    if not isinstance(schema, dict):
        raise place.error(f'score = "json-schema" needs a schema as a table, found {expect!r}')
    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as exc:
        raise place.error(f"it is not a JSON Schema: {exc.message}") from exc


def _is_number(value: object) -> bool:
    try:
        return math.isfinite(float(str(value).replace(",", "")))
    except ValueError:
        return False


def _check_pattern(pattern: str, place: Place) -> None:
    try:
        re.compile(pattern)
    except re.error as exc:
        raise place.error(f"{pattern!r} is not a regular expression: {exc}") from exc
