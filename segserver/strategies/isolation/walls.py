"""What keeps a plugin host process in. The child puts the walls up before it loads anything of a plugin.

Resource limits (setrlimit) hold everywhere. On Linux there are two more, each where the kernel has it:

* *landlock* (Linux 5.13): no file but the interpreter's and the plugins' can be read, none written; from 5.19
  on none linked elsewhere, from 6.7 on no TCP, from 6.12 on no signal to a process outside. With it, the
  files below ``/proc`` of other processes can't be read either.
* *seccomp*: no new process, no other program, no socket, no look into another process. Threads stay.

None of them needs privileges, and none can be taken down again by the process or its threads. There, too, the
process ends when the thread of the server that started it does.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Sequence

FILES_MAX = 256
NICE = 5
"""A plugin that burns processor time gives way to the server."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER = 2


def limit(memory_bytes_max: int, cpu_s_max: int) -> None:
    """Limits what this process may use; nothing can raise the limits again."""
    for kind, most in (
        (resource.RLIMIT_AS, memory_bytes_max),
        (resource.RLIMIT_CPU, cpu_s_max),
        (resource.RLIMIT_NOFILE, FILES_MAX),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (value, value))
    os.nice(NICE)


def limit_processes() -> None:
    """No process and no thread more for this user's process (not enforced for root): the wall where there is
    no seccomp."""
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def conceal() -> None:
    """Hides this process' memory and environment from other processes of the same user, and leaves no core
    file (prctl(2), PR_SET_DUMPABLE). For the server, whose memory holds keys. Does nothing outside Linux."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def enclose(readable: Iterable[str]) -> list[str]:
    """Puts up the walls that this kernel has, and returns their names. Below ``readable``, files can be read;
    no other file can. Call it while the process has one thread: a wall is one thread's and its children's."""
    if sys.platform != "linux":
        return []
    found: list[str] = []
    _libc().prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return found
    if _landlock(readable):
        found.append("landlock")
    if _seccomp():
        found.append("seccomp")
    return found


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


# Landlock: include/uapi/linux/landlock.h. The numbers are the same on every architecture.

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights over files that a version knows."""
_TCP = 0b11
"""Bind and connect."""
_SCOPES = 0b11
"""Abstract sockets and signals."""


def _landlock(readable: Iterable[str]) -> bool:
    libc = _libc()
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    rights = max(mask for since, mask in _FILE_RIGHTS.items() if since <= version)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    attributes = struct.pack("=QQQ", rights, _TCP, _SCOPES)[:size]
    ruleset = libc.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            _permit(libc, ruleset, path, _READ_FILE | _READ_DIR | _EXECUTE)
        _permit(libc, ruleset, os.devnull, _READ_FILE | _WRITE_FILE)
        _permit(libc, ruleset, "/dev/urandom", _READ_FILE)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _permit(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no right
    try:
        if not os.path.isdir(path):
            rights &= ~_READ_DIR
        rule = struct.pack("=Qi", rights, descriptor)
        libc.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)


# Seccomp: a classic BPF program over struct seccomp_data (number, architecture, address, arguments).

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_REFUSE = 0x00050000
"""Plus the error's number."""
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x00010000
_CLONE3 = 435
"""Its flags are behind a pointer, which a filter can't follow: as if the kernel had no such call, the C
library takes clone."""

_MACHINES = {"x86_64": (0xC000003E, 56), "aarch64": (0xC00000B7, 220)}
"""The architecture as the kernel names it, and the number of clone."""

_REFUSED: dict[str, Sequence[int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "keyctl": (250, 219),
}
"""System calls that fail with EPERM: their numbers on x86_64 and aarch64, where there is such a call."""


def _seccomp() -> bool:
    machine = platform.machine()
    if machine not in _MACHINES:
        return False
    column = list(_MACHINES).index(machine)
    numbers = [call[column] for call in _REFUSED.values()]
    program = _filter(*_MACHINES[machine], [number for number in numbers if number is not None])
    buffer = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: the number of instructions, padding, their address.
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    return bool(_libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) == 0)


def _filter(architecture: int, clone: int, refused: Sequence[int]) -> bytes:
    """The instructions: (operation, jump if true, jump if false, operand), eight bytes each."""
    lines = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        # x86_64 has its calls once more, with this bit, for programs with pointers of 32 bits.
        (_ANY_BIT, 0, 1, 0x40000000),
        (_RETURN, 0, 0, _REFUSE | _ENOSYS),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _REFUSE | _ENOSYS),
    ]
    for number in refused:
        lines += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE | _EPERM)]
    lines += [
        (_EQUAL, 0, 3, clone),
        (_LOAD, 0, 0, 16),  # the first argument's lower half: the flags
        (_ANY_BIT, 1, 0, _CLONE_THREAD),
        (_RETURN, 0, 0, _REFUSE | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
