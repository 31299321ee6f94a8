"""One process a variant: what is said between it and the session, its loop, and its handle.

:mod:`.messages` is the protocol, :mod:`.child` runs in the variant's process,
:mod:`.handle` is the session's end, :mod:`.pool` keeps all of them.
"""

from pytest_llmbench.worker.handle import Worker
from pytest_llmbench.worker.pool import WorkerPool

__all__ = ["Worker", "WorkerPool"]
