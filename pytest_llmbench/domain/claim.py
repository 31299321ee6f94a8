"""What a loaded variant takes of its machine: the fact that crews are formed by."""

from __future__ import annotations

from typing import Final

from pytest_llmbench.domain.fact import Fact

PROCESS_BYTES: Final = 2**30
"""What a process takes besides its weights and cache: of the host's memory the interpreter and
its libraries, of a device's the context (some 500 MB under CUDA) and the libraries' workspaces."""

AUTO: Final = "auto"
"""The device of a claim that holds for the first device of the machine, where it has one."""

_OF_THE_HOST: Final = ("cpu", "mps", "metal")


class Claim(Fact, frozen=True, kw_only=True):
    """What a variant takes while it is loaded.

    Attributes:
        host_bytes: of the host's memory, its process included; ``None`` where it is not known.
        device_bytes: of *device*'s memory, the process's share included; ``None`` where it is
            not known, or there is no device.
        device: the device that holds weights, as ``cuda:0``; ``auto`` for the machine's first
            one, where it has any; ``None`` where the host's memory holds everything.
        alone_on: what only one loaded variant can have at a time, as the address of a server;
            ``None`` where there is no such thing. An address on loopback is one on the
            variant's own host.
        shared_as: variants of one *alone_on* that say the same here have it together: they ask
            for one model. ``None`` shares it with nobody.
    """

    host_bytes: int | None
    device_bytes: int | None
    device: str | None
    alone_on: str | None = None
    shared_as: str | None = None


def claimed(weights: int | None, device: str) -> Claim:
    """Return the claim of one process with so many bytes of weights (and cache) on *device*.

    Args:
        weights: ``None`` where they are not known.
        device: as a variant's key names it. Devices that share the host's memory (``mps``) are
            the host; ``auto`` counts on both, since either may be taken; ``cuda`` is ``cuda:0``.
    """
    inside = total(weights, PROCESS_BYTES)
    if device in _OF_THE_HOST:
        return Claim(host_bytes=inside, device_bytes=None, device=None)
    if device == AUTO:
        return Claim(host_bytes=inside, device_bytes=inside, device=AUTO)
    named = device if ":" in device else f"{device}:0"
    return Claim(host_bytes=PROCESS_BYTES, device_bytes=inside, device=named)


def total(*parts: int | None) -> int | None:
    """Return the sum of *parts*; ``None`` where one of them is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
