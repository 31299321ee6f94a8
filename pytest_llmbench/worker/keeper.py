"""What runs beside a worker on another host: it owns the worker's process there.

It is the worker's parent, so that it learns how the worker ended and the kernel ends the worker
with it. It does what the session asks of the process (:class:`.LocalProcess`), and ends it when
the connection to the session is gone: a session that was killed leaves nothing on the host.
"""

from __future__ import annotations

import os
import sys

from pytest_llmbench.probes.environment import host_environment
from pytest_llmbench.probes.nvml import Nvml
from pytest_llmbench.worker import messages as say
from pytest_llmbench.worker.print_log import PrintLog, print_to
from pytest_llmbench.worker.process import LocalProcess, new_mark


def keep(channel: say.Channel) -> None:
    """Say where the worker will run, then do what is asked until the session is gone."""
    log = PrintLog()
    print_to(log.path)
    mark = new_mark()
    channel.send(say.pack(_introduction(log, mark)))
    process: LocalProcess | None = None
    try:
        for data in channel:
            errand = say.unpack_errand(data)
            if isinstance(errand, say.Watch):
                process = LocalProcess(errand.pid, log, mark)
            ending = None if process is None else _done(process, errand)
            channel.send(say.pack(say.Told(ending=ending, lines=log.last_lines())))
    finally:
        if process is not None:
            process.kill()
        log.close()


def _introduction(log: PrintLog, mark: str) -> say.Keeping:
    environment = host_environment(nvml=Nvml.open(), folder=None)
    return say.Keeping(
        pid=os.getpid(),
        executable=sys.executable,
        log=log.path,
        mark=mark,
        machine=environment.identity,
        context=environment.context,
        processors=os.cpu_count() or 1,
    )


def _done(process: LocalProcess, errand: say.Errand) -> str | None:
    """Do *errand*; return how the process ended, where that was asked and it did."""
    match errand:
        case say.Suspend():
            process.suspend()
        case say.Resume():
            process.resume()
        case say.Settle():
            process.settle(guarded=errand.guarded)
        case say.AskEnd():
            return process.ended(errand.wait_s)
        case say.Kill():
            process.kill()
    return None
