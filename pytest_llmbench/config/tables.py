"""The configuration as users write it: one struct a table, and the step from TOML to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from pytest_llmbench.config.place import Place, unknown
from pytest_llmbench.config.wrong_value import wrong_value
from pytest_llmbench.domain.similarity import DEFAULT_MODEL
from pytest_llmbench.domain.suite import Length, Scorer

T = TypeVar("T", bound=msgspec.Struct)
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
NonNegative = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Temperature = Annotated[float, Meta(ge=0.0, le=100.0)]
Seconds = Annotated[float, Meta(gt=0.0, le=1e7)]
Share = Annotated[float, Meta(gt=0.0, le=1.0)]

SSH_HOST: Final = r"^ssh=\S+( \S+)*$"
"""What ``host`` may hold: words for the ssh client, the host among them."""


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables."""


class MessageTable(Table, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class PromptTable(Table, frozen=True, kw_only=True):
    """One prompt of a suite file; ``prompt`` is short for one user message."""

    id: str | None = None
    prompt: str | None = None
    messages: tuple[MessageTable, ...] | None = None
    task: str | None = None
    expect: str | float | dict[str, object] | list[object] | None = None
    score: Scorer | None = None
    scorer: Annotated[str, Meta(min_length=1)] | None = None
    choices: tuple[str, ...] | None = None


class SuiteFileTable(Table, frozen=True, kw_only=True):
    """A whole suite file."""

    description: str | None = None
    prompts: list[dict[str, object]] = []


class SamplingTable(Table, frozen=True, kw_only=True):
    """Keys that say how often a case is generated; ``"auto"`` lets what is measured decide."""

    rounds: Positive | Literal["auto"] | None = None
    warmup: NonNegative | Literal["auto"] | None = None
    max_time_s: Seconds | None = None


class SuiteTable(SamplingTable, frozen=True, kw_only=True):
    """``[suites.NAME]``: where its prompts are, and the parameters to sweep over."""

    path: str | None = None
    builtin: str | None = None
    variants: tuple[str, ...] = ("*",)
    max_new_tokens: Positive | tuple[Positive, ...] = 64
    temperature: Temperature | tuple[Temperature, ...] = 0.0
    seed: NonNegative | tuple[NonNegative, ...] = 0
    top_p: Share = 1.0
    top_k: NonNegative = 0
    length: Length = "natural"
    chat: bool | None = None
    limits: dict[str, str] = {}
    tolerance: dict[str, str | float] = {}


class VariantTable(Table, frozen=True, kw_only=True):
    """The keys that ``[variants.NAME]`` has under every engine."""

    engine: str
    python: Annotated[str, Meta(min_length=1)] | None = None
    host: Annotated[str, Meta(pattern=SSH_HOST)] | None = None
    load_timeout_s: Seconds = 900.0
    round_timeout_s: Seconds = 300.0
    limits: dict[str, str] = {}
    tolerance: dict[str, str | float] = {}


class SimilarityTable(Table, frozen=True, kw_only=True):
    """``[similarity]``: the model that embeds texts."""

    model: Annotated[str, Meta(min_length=1)] = DEFAULT_MODEL
    device: Annotated[str, Meta(pattern=r"^(cpu|mps|cuda(:[0-9]+)?)$")] = "cpu"
    window: Annotated[int, Meta(ge=8, le=1_000_000)] | None = None


class CodeTable(Table, frozen=True, kw_only=True):
    """``[code]``: lets what a model writes be run, and bounds it."""

    time_s: Annotated[float, Meta(gt=0.0, le=3600.0)] = 10.0
    memory: str = "512 MiB"


class ConfigTable(SamplingTable, frozen=True, kw_only=True):
    """All of ``llmbench.toml``; the sampling keys at the top hold for every suite."""

    reference: str | None = None
    keep_reference: bool = False
    variants: dict[str, dict[str, object]] = {}
    suites: dict[str, dict[str, object]] = {}
    similarity: SimilarityTable | None = None
    code: CodeTable | None = None
    limits: dict[str, str] = {}
    tolerance: dict[str, str | float] = {}


def keys_of(table: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the keys that *table* allows, in the order in which they are documented."""
    return tuple(field.encode_name for field in msgspec.structs.fields(table))


def decode(raw: Mapping[str, object], table: type[T], place: Place) -> T:
    """Return *raw* as a *table*.

    Raises:
        ConfigError: an unknown key (with the allowed ones), a missing key, or a wrong value (with
            what to write).
    """
    for key in raw:
        if key not in keys_of(table):
            raise place.error(unknown(key, "key", keys_of(table)))
    try:
        return msgspec.convert(raw, table, strict=True)
    except msgspec.ValidationError as exc:
        raise wrong_value(raw, table, place, exc) from exc
