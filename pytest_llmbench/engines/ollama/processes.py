"""The processes of a server on this machine: the one that listens, and those it started.

The model lives in a child of ``ollama serve``, which comes and goes with it. A port may also be
held by what only passes on (``docker-proxy``, ``ssh``): then nothing is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psutil

_NAME: Final = "ollama"


class ServerProcesses:
    """The processes of the server that listens on *port* of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server: psutil.Process | None = None

    def ids(self) -> tuple[int, ...] | None:
        """Return the ids of the whole tree; ``None`` where it can't be seen, or is not Ollama."""
        import psutil

        try:
            if self._server is None or not self._server.is_running():
                self._server = _listener(self._port)
            if self._server is None:
                return None
            children = self._server.children(recursive=True)
        except psutil.Error:
            return None
        return (self._server.pid, *(child.pid for child in children))


def _listener(port: int) -> psutil.Process | None:
    """Return the process that listens on *port*, if it is Ollama's."""
    import psutil

    for connection in psutil.net_connections(kind="tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        if listens and connection.pid is not None:
            process = psutil.Process(connection.pid)
            return process if process.name().lower().startswith(_NAME) else None
    return None
