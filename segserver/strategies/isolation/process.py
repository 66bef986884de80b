"""One plugin host process, as the server sees it: started with nothing, asked one thing at a time, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

from segserver.errors import SegserverError
from segserver.strategies.isolation.messages import HEADER

PIECE_BYTES = 65_536
"""Read at once. Each read hands the interpreter to another thread and waits for it; most replies are one."""
ENDING_S = 1.0
"""How long to wait for what is known of a process that ended."""


class NoAnswerError(SegserverError):
    """A plugin host process gave no answer. The message is one of a few that the server makes itself."""

    reason = "STRATEGY_FAILED"


class HostProcess:
    """A running process. Used by one thread; that must be the one that made it, because the process ends with
    it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._number = 0
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own command
                [
                    *(sys.executable, "-I", "-X", "utf8", "-m", "segserver.strategies.isolation.child"),
                    str(theirs.fileno()),
                ],
                env={},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self.pid = self._process.pid

    def ask(self, payload: bytes, until_s: float, reply_bytes_max: int) -> bytes:
        """The reply to a request. Raises :class:`NoAnswerError` when there is none until that moment of the
        monotonic clock, when the process ended, or when it sent something else; end it then."""
        self._number += 1
        try:
            self._wait(until_s)
            self._socket.sendall(HEADER.pack(len(payload), self._number) + payload)
            return self._reply(until_s, reply_bytes_max)
        except TimeoutError:
            raise NoAnswerError("did not answer in time") from None
        except OSError:
            raise self.silence() from None

    @property
    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self._process.poll() is not None

    def silence(self) -> NoAnswerError:
        """Why it says nothing more, or something that nobody asked."""
        with contextlib.suppress(OSError):
            if self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                return NoAnswerError("broke the protocol")
        try:
            code = self._process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            return NoAnswerError("broke the protocol")
        if code >= 0:
            return NoAnswerError(f"ended with exit code {code}")
        with contextlib.suppress(ValueError):
            return NoAnswerError(f"ended by {signal.Signals(-code).name}")
        return NoAnswerError(f"ended by signal {-code}")

    def kill(self) -> None:
        """Kills it; safe to call from any thread. Whoever asks it learns that it has ended."""
        self._process.kill()

    def end(self) -> None:
        """Kills it and what it started in its session, and waits for its end."""
        self._socket.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def _wait(self, until_s: float) -> None:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(left_s)

    def _reply(self, until_s: float, reply_bytes_max: int) -> bytes:
        data = bytearray()
        while len(data) < HEADER.size:
            data += self._piece(until_s)
        length, number = HEADER.unpack_from(data)
        if number != self._number or length > reply_bytes_max:
            raise NoAnswerError("broke the protocol")
        while len(data) < HEADER.size + length:
            data += self._piece(until_s)
        if len(data) > HEADER.size + length:
            raise NoAnswerError("broke the protocol")
        return bytes(memoryview(data)[HEADER.size :])

    def _piece(self, until_s: float) -> bytes:
        self._wait(until_s)
        piece = self._socket.recv(PIECE_BYTES)
        if not piece:
            raise self.silence()
        return piece
