"""Starting a worker's process: under the session's interpreter, another one, or on another host.

Under the session's own interpreter a worker imports what the session would (``sys.path`` is the
session's); another interpreter has its own. A variant of another commit imports the project's own
code from where that is checked out. The folder where somebody typed the command is on
neither path by itself: a file there never stands in for a library. The environment is inherited
here, and that of a login on another host.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import execnet
import psutil

from pytest_llmbench.domain.variant import Variant
from pytest_llmbench.errors import WorkerCrashedError
from pytest_llmbench.worker import elsewhere
from pytest_llmbench.worker import messages as say
from pytest_llmbench.worker.print_log import PrintLog
from pytest_llmbench.worker.process import LocalProcess, Process, new_mark
from pytest_llmbench.worker.protocol import protocol
from pytest_llmbench.worker.remote import FAILURES, RemoteProcess

START_TIMEOUT_S: Final = 300.0
"""Seconds that a new process may take until it answers, and importing an engine's libraries."""


def _boot(channel, log, parent, mark, path, moved):  # type: ignore[no-untyped-def]
    import os
    import runpy
    import sys

    channel.send(os.getpid())
    if path is not None:
        sys.path[:] = path
    if moved is not None:
        runpy.run_path(moved.pop("by"))["import_from"](**moved)
    from pytest_llmbench.worker.entry import serve

    serve(channel, log, parent, mark)


@dataclasses.dataclass(frozen=True, slots=True)
class Launched:
    """A worker that runs: its gateway and channel, its process, and its host's keeper."""

    gateway: Any  # Any: execnet is untyped
    channel: Any
    process: Process
    keeping: say.Keeping | None


def launch(variant: Variant, group: execnet.Group) -> Launched:
    """Return a new worker for *variant*, as a member of *group* if it runs on this machine.

    Raises:
        WorkerCrashedError: it ended, or its connection did, before it was ready.
    """
    begin = _launch_here if variant.host is None else _launch_there
    try:
        return begin(variant, group)
    except (*FAILURES, psutil.Error) as exc:
        raise WorkerCrashedError(
            f"variant {variant.id!r} can't start: its process ended before it was ready"
        ) from exc


def _launch_here(variant: Variant, group: execnet.Group) -> Launched:
    own = variant.python is None
    return start_here(
        _boot,
        group,
        python=sys.executable if own else _found(str(variant.python)),
        path=import_path() if own else None,
        moved=_moved(variant),
    )


def start_here(boot: Any, group: execnet.Group, *, python: str, **told: Any) -> Launched:
    """Return a process on this machine that runs *boot*, as a member of *group*.

    Args:
        boot: a function of a channel, ``log``, ``parent``, ``mark`` and what is *told*, with all
            imports inside; it sends its process id first.
        group: ends it with the others.
        python: the interpreter.
        told: plain values.
    """
    log, mark = PrintLog(), new_mark()
    try:
        gateway: Any = group.makegateway(_spec(python))
        channel = gateway.remote_exec(boot, log=log.path, parent=os.getpid(), mark=mark, **told)
        pid = channel.receive(timeout=START_TIMEOUT_S)
        process = LocalProcess(pid, log, mark)
    except BaseException:
        log.close()
        raise
    return Launched(gateway=gateway, channel=channel, process=process, keeping=None)


def _launch_there(variant: Variant, _group: execnet.Group) -> Launched:
    assert variant.host is not None, "it runs on another host"
    process = RemoteProcess(variant.host, variant.python)
    keeping = process.keeping
    try:
        spec = _spec(keeping.executable)
        spec.via = process.keeper
        gateway: Any = process.group.makegateway(spec)
        channel = gateway.remote_exec(
            _boot, log=keeping.log, parent=keeping.pid, mark=keeping.mark, path=None, moved=None
        )
        process.watch(channel.receive(timeout=START_TIMEOUT_S))
    except BaseException:
        process.kill()
        raise
    return Launched(gateway=gateway, channel=channel, process=process, keeping=keeping)


def _spec(python: str) -> execnet.XSpec:
    """Return execnet's word for a process under *python* that imports nothing from its folder."""
    spec = execnet.XSpec("popen//execmodel=main_thread_only")
    spec.python = f"{shlex.quote(python)} -P"
    return spec


def _found(python: str) -> str:
    """Return *python* as a path; a bare name is looked up, as the shell does."""
    return shutil.which(python) or python


def _moved(variant: Variant) -> dict[str, str] | None:
    """Return what has the project's own code imported from elsewhere, and by which file."""
    if variant.moved is None:
        return None
    there, here = str(variant.moved.there), str(variant.moved.here)
    return {"by": elsewhere.__file__, "there": there, "here": here, "spoken": protocol()}


def import_path() -> list[str]:
    """Return where this session imports from; "the current folder" is where it is now."""
    return [entry or str(Path.cwd()) for entry in sys.path]
