"""One process a variant: what is said between it and the session, its loop, and its handle.

:mod:`.messages` is the protocol. In the variant's process :mod:`.entry` begins and :mod:`.child`
answers; :mod:`.handle` is the session's end, :mod:`.pool` keeps all of them. How a process is
started says :mod:`.launch`, how it rests and ends :mod:`.process`; on another host :mod:`.keeper`
does it for :mod:`.remote`.
"""

from pytest_llmbench.worker.handle import Ready, Worker
from pytest_llmbench.worker.pool import WorkerPool

__all__ = ["Ready", "Worker", "WorkerPool"]
