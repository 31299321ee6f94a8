"""Servers on this machine: whether an address is one, and which processes answer there."""

from __future__ import annotations

import contextlib
import ipaddress
from typing import Final
from urllib.parse import urlsplit

_STRANGERS: Final = ("docker-proxy", "ssh", "sshd", "rootlessport", "slirp4netns")
"""Processes that listen for a server which is elsewhere or out of sight."""


def is_loopback(url: str) -> bool:
    """Whether *url* is on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def processes_listening(url: str) -> tuple[int, ...] | None:
    """Return the processes that serve *url*, which is on this machine, and all below them.

    ``None`` where the system does not tell, or where what listens only passes on: a container's
    proxy, a tunnel.
    """
    import psutil

    port = urlsplit(url).port
    try:
        connections = psutil.net_connections(kind="tcp")
        owners = {
            found.pid
            for found in connections
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port
        }
        if not owners or None in owners:
            return None
        roots = [psutil.Process(pid) for pid in owners]
        if any(root.name() in _STRANGERS for root in roots):
            return None
        below = [child for root in roots for child in root.children(recursive=True)]
    except psutil.Error:
        return None
    return tuple(sorted({process.pid for process in (*roots, *below)}))
