"""Reading ahead: a second process reads a local source, spells its configs and analyses them; this one only saves.

Saving many new models takes two cores this way. The reader sends frames (a length, then a pickle) over a pipe; nothing
but the process that was started here writes to it. Only where the reader is far enough ahead does it analyse what it
sends; else this process does, which would have nothing else to do.

A reader that cannot start, dies, runs other code or fails is no fault: what it has not sent is read here.
"""

from __future__ import annotations

import gc
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any

from zoo.db.derive import analysis_version
from zoo.db.spelling import SpelledConfig, spell_config
from zoo.sources.folder import read_path
from zoo.sources.record import HubFacts, ModelRecord, Problem

#: Models after which a second process (some 0.4 s of its time) is worth its start, and from which on it reads.
WORTHWHILE, HANDED_OVER = 300, 3000
#: Models in a frame; frames that wait at most; and how many of those make the reader be far ahead.
FRAME, FRAMES, FAR = 250, 40, 8
#: Bytes that the pipe holds, where the system lets it: a few frames.
PIPE_SIZE = 1 << 20
#: Characters of configs after which a frame is full, however few they are.
FRAME_SIZE = 1_000_000
#: Cores that the reader remembers to have sent.
REMEMBERED = 100_000

#: When to look for cycles: next to nothing of what passes through here is in any, and looking costs a twentieth.
_RARELY = (100_000, 20, 20)
_LENGTH = struct.Struct("<I")
_COMMAND = "import sys; sys.path[:] = {path!r}; from zoo.db.ahead import serve; serve({source!r}, {skip})"
_NO_FACTS = HubFacts()

Frame = list[tuple[Any, ...]]


def read_ahead(source: Path, *, worthwhile: int = WORTHWHILE, handed_over: int = HANDED_OVER) -> Iterator[ModelRecord]:
    """The records of ``source`` as ``zoo.sources.folder.read_path`` gives them; of many, by two processes.

    Raises:
        BadInput: as there.
    """
    reader: subprocess.Popen[bytes] | None = None
    count = 0
    often = gc.get_threshold()
    try:
        for record in read_path(source):
            count += 1
            if count == worthwhile:
                reader = start_reader(source, handed_over)
            yield record
            if count == handed_over and reader is not None:
                break
        else:
            return
        assert reader is not None
        gc.set_threshold(*_RARELY)
        for frame in receive_frames(reader):
            if frame is None:
                return
            for packed in frame:
                count += 1
                yield unpack_record(packed)
        yield from islice(read_path(source), count, None)
    finally:
        gc.set_threshold(*often)
        if reader is not None:
            end_reader(reader)


def start_reader(source: Path, skip: int) -> subprocess.Popen[bytes] | None:
    """A process that reads ``source`` from its record ``skip`` on; None where it cannot be started."""
    command = [sys.executable, "-c", _COMMAND.format(path=sys.path, source=str(source), skip=skip)]
    for size in (PIPE_SIZE, -1):  # a system may have had enough of large pipes
        with suppress(OSError):
            return subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, pipesize=size
            )
    return None


def end_reader(reader: subprocess.Popen[bytes]) -> None:
    """End ``reader``, which holds nothing that could be lost."""
    reader.kill()
    if reader.stdout is not None:
        reader.stdout.close()
    reader.wait()


def receive_frames(reader: subprocess.Popen[bytes]) -> Iterator[Frame | None]:
    """What ``reader`` sends: None last where it came to the end of the source, nothing more where it failed."""
    pipe = reader.stdout
    assert pipe is not None
    try:
        is_same = read_frame(pipe) == analysis_version()
        while is_same:
            yield read_frame(pipe)
    except (OSError, EOFError, pickle.UnpicklingError):
        return


def read_frame(pipe: IO[bytes]) -> Any:
    """The next value. Raises EOFError at the end, also in the middle of one."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    size = _LENGTH.unpack(head)[0]
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return pickle.loads(data)  # noqa: S301 (from the process that was started here, which is zoo's own)


def write_frame(pipe: IO[bytes], value: Any) -> None:
    """Write ``value`` after its length."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def pack_record(record: ModelRecord, config: SpelledConfig | None) -> tuple[Any, ...]:
    """``record`` in plain values, its config as ``config``."""
    facts = None if record.facts == _NO_FACTS else record.facts
    head = (record.repo_id, record.source, record.problem and tuple(record.problem), record.sha, facts, record.origin)
    if config is None:
        return head
    return (*head, config.sha256, config.text, config.core_name, config.core, config.derived)


def unpack_record(packed: tuple[Any, ...]) -> ModelRecord:
    """The record that :func:`pack_record` packed."""
    repo_id, source, problem, sha, facts, origin, *config = packed
    return ModelRecord(
        repo_id,
        source,
        SpelledConfig(*config) if config else None,
        Problem(*problem) if problem else None,
        sha,
        facts or _NO_FACTS,
        origin,
    )


def serve(source: str, skip: int) -> None:
    """What the reader does: sends its version, the records of ``source`` from ``skip`` on in frames, then None."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it decides when it ends
    gc.set_threshold(*_RARELY)
    sys.setswitchinterval(0.0002)  # the thread that writes has little to do, and is waited for
    pipe = sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but frames may get onto the pipe
    frames: queue.Queue[Frame | None] = queue.Queue(FRAMES)
    writer = threading.Thread(target=write_frames, args=(pipe, frames), daemon=True)
    writer.start()
    for frame in build_frames(islice(read_path(Path(source)), skip, None), frames.qsize):
        frames.put(frame)
    frames.put(None)
    writer.join()


def build_frames(records: Iterable[ModelRecord], waiting: Callable[[], int]) -> Iterator[Frame]:
    """``records`` packed, in frames; each new core goes along, or its analysis where :data:`FAR` frames are waiting."""
    sent: dict[bytes, None] = {}
    frame: Frame = []
    size = 0
    for record in records:
        config = None
        if record.config is not None:
            config = spell_config(record.config)
            add_analysis(config, sent, waiting)
            size += len(config.text)
        frame.append(pack_record(record, config))
        if len(frame) == FRAME or size >= FRAME_SIZE:
            yield frame
            frame, size = [], 0
    if frame:
        yield frame


def add_analysis(config: SpelledConfig, sent: dict[bytes, None], waiting: Callable[[], int]) -> None:
    """Let ``config`` carry what this process alone can know of its analysis: nothing where that was ``sent`` before."""
    name = config.name_core()
    if name in sent:
        config.core = None
        return
    if waiting() >= FAR:
        config.derive()
        config.core = None
    sent[name] = None
    if len(sent) > REMEMBERED:
        del sent[next(iter(sent))]


def write_frames(pipe: IO[bytes], frames: queue.Queue[Frame | None]) -> None:
    """Write what comes until None does; where nobody reads any more, the whole process ends."""
    try:
        write_frame(pipe, analysis_version())
        while (frame := frames.get()) is not None:
            write_frame(pipe, frame)
        write_frame(pipe, None)
    except OSError:
        os._exit(1)
