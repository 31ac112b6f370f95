"""A second process that analyses configs while this one writes: so that saving many new ones takes both cores.

The two speak over pipes, in frames of a length and a pickle; only this process writes to the worker. What the worker
has not begun, this process takes back when it has nothing else to do. A worker that cannot start or dies is no fault:
then everything is analysed here.
"""

from __future__ import annotations

import contextlib
import pickle
import select
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from typing import IO, Any

from zoo.db.derive import Derived, analysis_version, derive_core

#: Cores in a message, and bytes: two messages must fit into a pipe while nobody reads it.
CHUNK = 16
CHUNK_BYTES = 24_000
#: Messages that the worker has at a time.
AHEAD = 2
#: Analyses after which starting a second process (some 0.4 s of its time) has paid off.
WORTHWHILE = 1000
_LENGTH = struct.Struct("<I")
_COMMAND = "import sys; sys.path[:] = {path!r}; from zoo.db.worker import serve; serve()"


class Deriver:
    """Analyses the cores that it is given, each once, and keeps the results until they are taken."""

    def __init__(self, worthwhile: int = WORTHWHILE) -> None:
        self._worthwhile, self._done = worthwhile, 0
        self._worker: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._sent: deque[list[bytes]] = deque()
        self._asked: set[bytes] = set()
        self._waiting: dict[bytes, None] = {}
        self._results: dict[bytes, Derived] = {}

    def submit(self, core: bytes) -> None:
        """Have ``core`` analysed some time."""
        if core not in self._asked:
            self._asked.add(core)
            self._waiting[core] = None

    def pump(self) -> None:
        """Give the worker what it can take, and take what it has done; waits for nothing."""
        if self._worker is None and self._done + len(self._waiting) >= self._worthwhile and self._waiting:
            self._start()
        while self._worker is not None and self._sent and self._can_read():
            self._receive()
        while self._worker is not None and self._waiting and len(self._sent) < AHEAD:
            self._send()

    def take(self, core: bytes) -> Derived:
        """The analysis of ``core``, which was submitted; it stays until :meth:`forget`."""
        while core not in self._results:
            self.pump()
            if core in self._results:
                break
            if self._waiting:
                # What is wanted first; else the last in the row, which the worker comes to last.
                own = core if core in self._waiting else next(reversed(self._waiting))
                del self._waiting[own]
                self._keep(own, derive_core(own))
            elif self._worker is not None:
                self._receive()
            else:
                self._keep(core, derive_core(core))
        return self._results[core]

    def forget(self, cores: Iterable[bytes]) -> None:
        """Let go of what was taken."""
        for core in cores:
            if self._results.pop(core, None) is not None:
                self._asked.discard(core)

    def reset(self) -> None:
        """Forget everything, also what is still under way (then the worker ends with it)."""
        if self._sent:
            self.close()
        self._waiting.clear()
        self._results.clear()
        self._asked.clear()

    def close(self) -> None:
        """End the worker."""
        worker, self._worker = self._worker, None
        if worker is not None:
            _end(worker)
        self._waiting.update(dict.fromkeys(core for chunk in self._sent for core in chunk))
        self._sent.clear()

    def _keep(self, core: bytes, derived: Derived) -> None:
        self._results[core] = derived
        self._done += 1

    def _start(self) -> None:
        command = [sys.executable, "-c", _COMMAND.format(path=sys.path)]
        try:
            self._worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        except OSError:
            self._worthwhile = sys.maxsize
        self._ready = False

    def _can_read(self) -> bool:
        pipe = self._worker.stdout if self._worker else None
        return pipe is not None and bool(select.select([pipe], [], [], 0)[0])

    def _send(self) -> None:
        chunk: list[bytes] = []
        size = 0
        for core in self._waiting:
            if chunk and (len(chunk) == CHUNK or size + len(core) > CHUNK_BYTES):
                break
            chunk.append(core)
            size += len(core)
        for core in chunk:
            del self._waiting[core]
        if size > CHUNK_BYTES:  # one core that is larger than a message may be
            self._keep(chunk[0], derive_core(chunk[0]))
            return
        self._sent.append(chunk)
        worker = self._worker
        try:
            assert worker is not None
            assert worker.stdin is not None
            write_frame(worker.stdin, chunk)
        except OSError:
            self._give_up()

    def _receive(self) -> None:
        worker = self._worker
        try:
            assert worker is not None
            assert worker.stdout is not None
            if not self._ready and read_frame(worker.stdout) != analysis_version():
                raise EOFError("the worker runs other code")
            self._ready = True
            results = read_frame(worker.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            self._give_up()
            return
        for core, derived in zip(self._sent.popleft(), results, strict=True):
            self._keep(core, derived)

    def _give_up(self) -> None:
        self._worthwhile = sys.maxsize
        self.close()


def _end(worker: subprocess.Popen[bytes]) -> None:
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    worker.kill()  # it holds nothing that could be lost
    worker.wait()


def write_frame(pipe: IO[bytes], value: Any) -> None:
    """Write ``value`` and its length."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> Any:
    """The next value. Raises EOFError at the end."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    data = pipe.read(_LENGTH.unpack(head)[0])
    return pickle.loads(data)  # noqa: S301 (from the process at the other end, which is zoo's own)


def serve() -> None:
    """What the worker does until its input ends: analyse what comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it decides when it ends
    pipe_in, pipe_out = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but frames may get onto the pipe
    with contextlib.suppress(EOFError, BrokenPipeError):
        write_frame(pipe_out, analysis_version())
        while True:
            write_frame(pipe_out, [derive_core(core) for core in read_frame(pipe_in)])
