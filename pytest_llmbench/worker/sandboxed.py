"""The far side of :mod:`.sandbox`: shuts itself in, then runs what a model wrote.

A script of its own, which imports the standard library and the binding of libseccomp alone: what
it can reach is what that code can reach. It reads one JSON object from its standard input. Its
answers, one JSON object a line, are whether it is shut in, before any of that code runs, and then
what came of it, which bears the word that was asked for.

What holds it in is the kernel's, and can't be undone from within: Landlock (files, TCP, signals),
a seccomp filter that lets few calls through, resource limits. Sources: Linux's
``Documentation/userspace-api/landlock.rst`` and ``seccomp_filter.rst``.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import math
import os
import random
import resource
import signal
import sys
import sysconfig
import types
from typing import Any, Final

_LANDLOCK_CREATE_RULESET: Final = 444
_LANDLOCK_ADD_RULE: Final = 445
_LANDLOCK_RESTRICT_SELF: Final = 446
"""Numbers of system calls; later than the common table, so that every architecture has these."""

_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_EXECUTE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS: Final = {3: 15, 4: 15}
"""How many rights there are to be taken away, by the version of Landlock; 16 since the fifth."""

_TCP: Final = 0b11
_SCOPES: Final = 0b11
"""Abstract sockets, and signals to whoever is outside."""

_CAPABILITY_VERSION: Final = 0x20080522
"""The third: effective, permitted and inheritable ones, two words each."""

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_AF_UNIX: Final = 1
_PLAIN_FCNTL: Final = (0, 1, 2, 3, 4, 1030)
"""Duplicating and flags: no owner that is sent signals, no lease, no lock, no size of a pipe."""

_PLAIN_ADVICE: Final = (0, 1, 2, 3, 4, 8, 14, 15)
"""For the memory allocator: normal, random, … don't need, free, (no) huge pages."""

_HARMLESS_IOCTLS: Final = (0x5401, 0x5421, 0x5451)
"""Is it a terminal? Don't block. Close when a program is started."""

_TOLD: Final = 2000

_LEAST_LANDLOCK: Final = 3
"""Before it, opening a file for reading could empty it. Linux 6.2 has it."""

_CALLS: Final = (
    "read", "write", "readv", "writev", "pread64", "close", "lseek", "dup", "dup2", "dup3",
    "open", "openat", "stat", "fstat", "lstat", "newfstatat", "statx", "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "getcwd", "getdents64", "pipe2",
    "mmap", "munmap", "mprotect", "mremap", "brk", "futex", "futex_time64",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "set_robust_list", "set_tid_address", "rseq", "sched_yield", "sched_getaffinity", "getpid",
    "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "clock_gettime", "clock_getres",
    "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times", "getrusage", "getrandom",
    "uname", "sysinfo", "poll", "ppoll", "select", "pselect6", "epoll_create1", "epoll_ctl",
    "epoll_wait", "epoll_pwait", "eventfd2", "getsockname", "shutdown", "recvfrom",
    "exit", "exit_group",
)  # fmt: skip
"""What Python computes with: no new process, no other's memory, no network, no kernel knob."""


class _Ruleset(ctypes.Structure):
    _fields_ = [
        ("files", ctypes.c_uint64),
        ("net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32)]


def main() -> None:
    """Read what is to be run, run it shut in, and say what came of it."""
    asked = json.loads(sys.stdin.buffer.read())
    answers = _hidden(1)
    word = asked.pop("word")
    _call(_libc().prctl, _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        _shut_in(asked["time_s"], asked["memory_bytes"], asked["seccomp"])
    except (OSError, RuntimeError, ImportError, ValueError) as exc:
        _say(answers, {"shut_in": False, "why": f"{type(exc).__name__}: {exc}"})
        return
    _say(answers, {"shut_in": True})
    _say(answers, {"word": word, **_ran(asked["code"], asked["test"])})
    os._exit(0)  # no destructor of that code has a last word


def _ran(code: str, test: str) -> dict[str, Any]:
    """Return whether *code* and then *test* ran to their end."""
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    run, read = exec, compile  # that code may put others in their place
    sys.setrecursionlimit(1000)
    try:
        run(read(code, "<answer>", "exec"), module.__dict__)
        run(read(test, "<expect>", "exec"), module.__dict__)
    except BaseException as exc:  # noqa: BLE001 — whatever it is, the answer is wrong
        told = f"{type(exc).__name__}: {exc}".rstrip(": ")
        return {"passed": False, "why": told[:_TOLD]}
    return {"passed": True, "why": None}


def _hidden(fd: int) -> int:
    """Return another descriptor of *fd*, which is not the next one."""
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, random.SystemRandom().randrange(16, 60))


def _shut_in(time_s: float, memory_bytes: int, seccomp: str) -> None:
    """Give up all that code that computes does not need; for ever."""
    sys.path.append(seccomp)
    import pyseccomp

    sys.path.remove(seccomp)
    seconds = math.ceil(time_s)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))  # told, then killed
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(limit, (value, value))
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    _call(_libc().prctl, _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _no_capabilities()
    _landlock()
    _filter(pyseccomp)


def _no_capabilities() -> None:
    """Give up what root may do beyond others; a process without any loses nothing."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)  # 0: of this thread, the only one
    _call(_libc().capset, header, (ctypes.c_uint32 * 6)())


def _landlock() -> None:
    """Leave nothing of the file system but reading Python's own library; no TCP, no signals."""
    libc = _libc()
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < _LEAST_LANDLOCK:
        raise OSError(errno.ENOSYS, "Landlock is missing or too old; it takes Linux 6.2 or later")
    wanted = _Ruleset(
        files=(1 << _FILE_RIGHTS.get(version, 16)) - 1,
        net=_TCP if version >= 4 else 0,
        scoped=_SCOPES if version >= 6 else 0,
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(
        libc.syscall, _LANDLOCK_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), 0
    )
    for folder in _readable():
        fd = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        rights = _READ_FILE | (_READ_FOLDER if os.path.isdir(folder) else 0)  # noqa: PTH112
        rule = _Beneath(allowed=rights, folder=fd)
        _call(
            libc.syscall, _LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule),
            ctypes.c_int(0),
        )  # fmt: skip
        os.close(fd)
    _call(libc.syscall, _LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _readable() -> list[str]:
    """Return what Python reads when it imports of its own library."""
    library = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    shared = {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"}
    shared.add(f"{sys.base_prefix}/lib")  # of a Python that brings its own
    others = {"/usr/share/zoneinfo", "/dev/null", "/dev/urandom"}
    return [path for path in (*library, *shared, *others) if path and os.path.exists(path)]  # noqa: PTH110


def _filter(pyseccomp: Any) -> None:
    """Refuse every call that is not named: new processes and threads among them."""
    rules = pyseccomp.SyscallFilter(defaction=pyseccomp.ERRNO(errno.EPERM))
    known = [name for name in _CALLS if pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name) >= 0]
    for name in known:
        rules.add_rule(pyseccomp.ALLOW, name)
    for name, argument, values in (
        ("ioctl", 1, _HARMLESS_IOCTLS),
        ("fcntl", 1, _PLAIN_FCNTL),
        ("madvise", 2, _PLAIN_ADVICE),
        ("socketpair", 0, (_AF_UNIX,)),
        ("prlimit64", 2, (0,)),  # to ask for limits
        ("sendto", 4, (0,)),  # to its own other end
    ):
        for value in values:
            equal = pyseccomp.Arg(argument, pyseccomp.EQ, value)
            rules.add_rule(pyseccomp.ALLOW, name, equal)
    rules.load()


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call(function: Any, *arguments: Any) -> int:
    """Return what a function of the C library does; raise OSError where it fails."""
    found = int(function(*arguments))
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return found


def _say(fd: int, answer: dict[str, Any]) -> None:
    os.write(fd, f"{json.dumps(answer)}\n".encode())


if __name__ == "__main__":
    main()
