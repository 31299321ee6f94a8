"""Which variants are loaded together, so that their rounds can take turns: numbers in, crews out.

A *crew* is what is in memory at one time. Variants of one crew are measured in the same minutes,
so that a slow minute hits them all alike; those of different crews are measured one after the
other. Nothing is read here: what variants take and what is free are arguments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from pytest_llmbench.domain.claim import AUTO, Claim
from pytest_llmbench.domain.fact import Fact
from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.engines.loopback import is_loopback
from pytest_llmbench.units import format_bytes, format_percent

SHARE: Final = 0.8
"""How much of the free memory a crew may take: what prompts add, loading, and whatever else the
machine does, need the rest."""

Interleave = Literal["auto", "on", "off"]

_HOST: Final = "memory"
_PORTS: Final = {"http": 80, "https": 443}
_NOT_KNOWN: Final = Claim(host_bytes=None, device_bytes=None, device=None)
_ANYWAY: Final = "all the same, type --llmbench-interleave=on"


class Crews(Fact, frozen=True, kw_only=True):
    """Which variants are loaded together.

    Attributes:
        crews: ids of variants, each in one crew, in the configuration's order; the reference is
            in the first crew.
        reasons: a sentence for each variant that could not join, with what to type.
    """

    crews: tuple[tuple[str, ...], ...]
    reasons: tuple[str, ...]


def crews(
    variants: Sequence[Variant],
    *,
    claims: Mapping[str, Claim],
    available_host: int,
    available_device: Mapping[str, int],
    mode: Interleave,
    reference: str | None,
    known: Mapping[str, Claim] | None = None,
) -> Crews:
    """Return the crews of *variants*.

    ``off`` loads each alone. ``on`` loads all together, but for what only one of them can have at
    a time. ``auto`` does so as long as a crew takes no more than :data:`SHARE` of what is
    available, a variant joining the first crew that it fits; one whose needs are not known stays
    alone. What a variant takes on another host is not counted here, but in ``auto`` a crew has one
    variant of each other host, since nobody says what is free there.

    Args:
        variants: in the configuration's order.
        claims: what each takes as estimated, by id; one that is absent is not known.
        available_host: bytes of this machine's memory that are free.
        available_device: device (``cuda:0``) → its free bytes, the first device first.
        mode: what the user wants.
        reference: id of the variant that the others are held against, where there is one.
        known: what each was measured to take; every number in it wins over the estimate.
    """
    if mode == "off":
        first = sorted(variants, key=lambda one: one.id != reference)
        return Crews(crews=tuple((variant.id,) for variant in first), reasons=())
    measured = known or {}
    told = {v.id: _corrected(claims.get(v.id, _NOT_KNOWN), measured.get(v.id)) for v in variants}
    members = [_member(variant, told[variant.id], available_device) for variant in variants]
    free = {_HOST: available_host, **available_device} if mode == "auto" else None
    filling = _Filling(free)
    for member in sorted(members, key=lambda one: one.id != reference):
        filling.seat(member)
    return filling.result([variant.id for variant in variants])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A variant as crews see it.

    Attributes:
        id: its name.
        host: the other host that it runs on.
        needs: bytes that it takes, by the memory (``memory``, ``cuda:0``) that they are in.
        unknown: what is not known of it, as the middle of a sentence; ``None`` where all is.
        claim: what it takes.
        place: what ``claim.alone_on`` stands for, the same for two names of one server.
    """

    id: str
    host: str | None
    needs: Mapping[str, int]
    unknown: str | None
    claim: Claim
    place: tuple[str | None, str] | None


class _Filling:
    """Crews that are being filled.

    Args:
        free: bytes by memory; ``None`` where memory is not asked about.
    """

    def __init__(self, free: Mapping[str, int] | None) -> None:
        self._free = free
        self._crews: list[list[_Member]] = []
        self._open: list[list[_Member]] = []
        self._reasons: dict[str, str] = {}

    def seat(self, member: _Member) -> None:
        """Put *member* into the first crew that it can join, or into a new one."""
        if self._free is not None and member.unknown is not None:
            self._crews.append([member])
            self._reasons[member.id] = _stranger(member)
            return
        obstacles = [self._obstacle(member, crew) for crew in self._open]
        if None not in obstacles:
            self._open.append([])
            self._crews.append(self._open[-1])
            obstacles.append(None)
        self._open[obstacles.index(None)].append(member)
        if obstacles[0] is not None:
            self._reasons[member.id] = obstacles[0]

    def result(self, order: Sequence[str]) -> Crews:
        """Return the crews, with members and reasons in *order*; one variant needs no reason."""
        seated = [{member.id for member in crew} for crew in self._crews]
        reasons = tuple(self._reasons[name] for name in order if name in self._reasons)
        return Crews(
            crews=tuple(tuple(name for name in order if name in crew) for crew in seated),
            reasons=reasons if len(order) > 1 else (),
        )

    def _obstacle(self, member: _Member, crew: Sequence[_Member]) -> str | None:
        """Return why *member* can't join *crew*, as a sentence; ``None`` if it can."""
        rivalry = _rivalry(member, crew)
        if rivalry is not None or self._free is None:
            return rivalry
        return _elsewhere(member, crew) or _crowding(member, crew, self._free)


def _corrected(claim: Claim, measured: Claim | None) -> Claim:
    """Return *claim* with the numbers that were *measured*."""
    if measured is None:
        return claim
    on_device = measured.device_bytes
    return msgspec.structs.replace(
        claim,
        host_bytes=claim.host_bytes if measured.host_bytes is None else measured.host_bytes,
        device_bytes=claim.device_bytes if on_device is None else on_device,
        device=measured.device or claim.device or (AUTO if on_device else None),
    )


def _member(variant: Variant, claim: Claim, devices: Mapping[str, int]) -> _Member:
    device = next(iter(devices), None) if claim.device == AUTO else claim.device
    needs = {_HOST: claim.host_bytes}
    if device is not None:
        needs[device] = claim.device_bytes
    if variant.host is not None:
        needs = {}
    return _Member(
        id=variant.id,
        host=variant.host,
        needs={memory: taken for memory, taken in needs.items() if taken is not None},
        unknown=_unknown(needs, devices),
        claim=claim,
        place=None if claim.alone_on is None else _place(claim.alone_on, variant.host),
    )


def _unknown(needs: Mapping[str, int | None], devices: Mapping[str, int]) -> str | None:
    """Return what is not known of *needs*, or of the device that they are on."""
    for memory, taken in needs.items():
        if memory != _HOST and memory not in devices:
            return f"how much memory {memory} has free"
        if taken is None:
            return f"how much {'' if memory == _HOST else 'of '}{_named(memory)} it takes"
    return None


def _place(alone_on: str, host: str | None) -> tuple[str | None, str]:
    """Return what is the same for every name of one server, and only for it."""
    try:
        parts = urlsplit(alone_on)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        if is_loopback(alone_on):
            return host, f"port {port}"
    except ValueError:
        return None, alone_on
    return None, f"{parts.hostname}:{port}" if parts.hostname else alone_on


def _rivalry(member: _Member, crew: Iterable[_Member]) -> str | None:
    """Two variants can't both have what there is once, unless they want the same of it."""
    if member.place is None:
        return None
    wanted = member.claim.shared_as
    for other in crew:
        if other.place == member.place and (wanted is None or other.claim.shared_as != wanted):
            return (
                f"{_apart(member, [other])}: only one of them at a time can have "
                f"{member.claim.alone_on}; to load them together, give one of them another"
            )
    return None


def _elsewhere(member: _Member, crew: Iterable[_Member]) -> str | None:
    for other in crew:
        if member.host is not None and other.host == member.host:
            return (
                f"{_apart(member, [other])}: both are on host = {member.host!r}, and how much "
                f"memory is free there is not known; to load them together {_ANYWAY}"
            )
    return None


def _crowding(member: _Member, crew: Sequence[_Member], free: Mapping[str, int]) -> str | None:
    """Every memory counts, since a crew of one may take too much of one that *member* leaves."""
    for memory, available in free.items():
        together = sum(one.needs.get(memory, 0) for one in (member, *crew))
        if together > SHARE * available:
            return (
                f"{_apart(member, crew)}: together they would take {format_bytes(together)} of "
                f"{_named(memory)}, more than {format_percent(SHARE)} of the "
                f"{format_bytes(available)} that are free; to load them together {_ANYWAY}"
            )
    return None


def _stranger(member: _Member) -> str:
    return (
        f"{member.id!r} is loaded alone: {member.unknown} is not known beforehand; to load it "
        f"together with others {_ANYWAY}"
    )


def _apart(member: _Member, crew: Sequence[_Member]) -> str:
    return f"{member.id!r} is not loaded together with {' and '.join(repr(m.id) for m in crew)}"


def _named(memory: str) -> str:
    return "memory" if memory == _HOST else f"the memory of {memory}"
