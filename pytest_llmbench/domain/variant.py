"""A variant: one model under one engine, precision, adapter and device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from pytest_llmbench.domain.claim import Claim
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.gate import Gates


class EngineKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the structs that say which keys an engine takes in ``[variants.NAME]``."""

    def problem(self, base_dir: Path) -> tuple[str, str] | None:  # noqa: ARG002 — for others
        """Return a key and what is wrong with it on this machine, found without the engine.

        Args:
            base_dir: the folder that relative paths start from.
        """
        return None

    def needs(self) -> Mapping[str, str]:
        """Return what these keys need beside the engine: distribution → the line to type."""
        return {}

    def claim(self, base_dir: Path) -> Claim:  # noqa: ARG002 — for others
        """Return what a variant of these keys takes while it is loaded; here: nobody knows.

        Found without the engine, in milliseconds, and rather too much than too little: variants
        that fit in memory together are measured in turns. It never raises; files that are not
        there are not known.

        Args:
            base_dir: the folder that relative paths start from.
        """
        return Claim(host_bytes=None, device_bytes=None, device=None)


class Moved(Fact, frozen=True, kw_only=True):
    """Where the project's own code is for a variant of another commit.

    Attributes:
        here: the folder that the session has it in: the checkout.
        there: the folder that stands for it: that commit, checked out.
    """

    here: Path
    there: Path


class Variant(Fact, frozen=True, kw_only=True):
    """What a user would deploy, as the configuration describes it.

    Attributes:
        id: its name in the configuration.
        engine: name of the engine that runs it.
        options: the engine's own keys, checked against the engine's option type when the
            configuration was read; builtins only, so that it crosses to the worker as is.
        base_dir: the folder that relative paths in *options* start from.
        python: the interpreter that its process runs under: an absolute path or a name to look
            up; on another host what the shell there takes. ``None`` is the session's own, and
            ``python3`` on another host.
        host: the machine that it runs on, as ``ssh=`` and words for ssh (``ssh=gpu-box``);
            ``None`` is this one. Paths in *options* are of that machine.
        load_timeout_s: seconds that loading may take.
        round_timeout_s: seconds that one generation may take.
        gates: limits and tolerances that hold for this variant alone.
        moved: where its process has the project's own code; ``None`` is where the session has it.
    """

    id: str
    engine: str
    options: dict[str, object]
    base_dir: Path
    python: str | None
    host: str | None
    load_timeout_s: float
    round_timeout_s: float
    gates: Gates
    moved: Moved | None = None
