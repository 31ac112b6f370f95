"""What ``zoo analyze`` reads (files, folders, standard input, ``.jsonl``), and the JSON that it writes for each config.

Everything goes item by item, so that output streams and a file may be larger than memory. An item that cannot be used
carries the reason in place of a config and stops nothing. No rich, no pandas: this path is made to be quick.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from zoo.config_text import MAX_BYTES, parse_config
from zoo.errors import BadInput
from zoo.metrics.analysis import Analysis, analyze, describe_unsupported

#: A line may hold the largest config and its name beside it.
MAX_LINE = MAX_BYTES + 1024
LINE_SUFFIXES = (".jsonl", ".ndjson")
#: Lines that one worker gets at a time.
BATCH = 200


class Item(NamedTuple):
    """One config to analyse, or the reason why there is none. ``label`` is what people call it: a path, a line."""

    label: str
    repo_id: str | None = None
    config: Mapping[str, Any] | None = None
    reason: str | None = None


class Options(NamedTuple):
    """What is asked of every item. ``kv_dtype`` must be a known name; ``contexts`` are in tokens."""

    kv_dtype: str | None = None
    contexts: tuple[int, ...] = ()
    tensors: bool = False


def analyze_item(item: Item, options: Options) -> Analysis:
    """The analysis of ``item``; one that cannot be analysed gives the reason, whatever it holds."""
    if item.config is None:
        return describe_unsupported({}, item.repo_id, item.reason or "there is no config")
    try:
        return analyze(item.config, repo_id=item.repo_id, kv_dtype=options.kv_dtype, contexts=options.contexts)
    except Exception as error:  # one odd config among thousands stops nothing
        return describe_unsupported(item.config, item.repo_id, f"the analyzer failed: {type(error).__name__}")


def write_item(item: Item, options: Options, *, indent: int | None = None) -> str:
    """The JSON of ``item``, in ASCII so that nothing in it can act on a terminal."""
    document = analyze_item(item, options).as_dict(tensors=options.tensors)
    try:
        return json.dumps(document, indent=indent, allow_nan=False)
    except ValueError:
        reason = "a number in the config is not finite"
        failed = describe_unsupported(item.config or {}, item.repo_id, reason)
        return json.dumps(failed.as_dict(tensors=options.tensors), indent=indent)


class Source(NamedTuple):
    """One FILE of the command line: the lines of a ``.jsonl``, else the items in it."""

    lines: Iterator[bytes] | None
    items: Iterator[Item] = iter(())


def open_source(name: str, stdin: IO[bytes]) -> Source:
    """What ``name`` holds; ``-`` is ``stdin``. Raises BadInput for a ``.jsonl`` that cannot be read."""
    if name == "-":
        lines, whole = sniff_input(stdin)
        return Source(lines, iter([parse_item(whole, "stdin")] if lines is None else []))
    if name.lower().endswith(LINE_SUFFIXES):
        return Source(read_lines(name))
    return Source(None, read_folder(name) if Path(name).is_dir() else iter([read_file(name)]))


def read_lines(name: str) -> Iterator[bytes]:
    """The lines of the file ``name``, read as they are asked for; BadInput at once when it cannot be opened."""
    try:
        file = Path(name).open("rb")  # noqa: SIM115 # closed below, once the last line is read
    except OSError as error:
        raise BadInput(name, f"cannot be read: {error.strerror or error}") from None

    def split() -> Iterator[bytes]:
        with file:
            yield from split_lines(file)

    return split()


def read_file(name: str) -> Item:
    """The config in the file ``name``; one that cannot be read or used gives its reason."""
    try:
        with Path(name).open("rb") as file:
            return parse_item(file.read(MAX_BYTES + 1), name)
    except OSError as error:
        return Item(name, reason=f"cannot be read: {error.strerror or error}")


def parse_item(data: bytes, label: str) -> Item:
    """The config in ``data``, or why it is none."""
    try:
        return Item(label, None, parse_config(data, source=label))
    except BadInput as error:
        return Item(label, reason=error.reason)


def read_folder(name: str) -> Iterator[Item]:
    """Every config below the folder ``name``. Raises BadInput when there is none."""
    from zoo.sources import folder

    for record in folder.read_folder(Path(name)):
        reason = record.problem.message if record.problem else None
        yield Item(record.origin or record.repo_id, record.repo_id, record.config, reason)


def parse_line(line: bytes) -> Item:
    """The item in one line of ``{"repo_id", "config"}``; anything else gives its reason."""
    if len(line) > MAX_LINE:
        return Item("line", reason=f"the line is larger than {MAX_BYTES // 1_000_000} MB")
    if not line.strip():
        return Item("line", reason="the line is empty")
    try:
        held = parse_config(line, source="line")
    except BadInput as error:
        return Item("line", reason=f"the line {error.reason}")
    repo_id, config = held.get("repo_id"), held.get("config")
    if repo_id is not None and not isinstance(repo_id, str):
        return Item("line", reason="repo_id is not a string")
    if not isinstance(config, dict):
        said = "the line has no config" if "config" not in held else "config is not a JSON object"
        return Item("line", repo_id, reason=said)
    return Item("line", repo_id, config)


def split_lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of ``file``, each cut off where it is longer than :data:`MAX_LINE`."""
    while line := file.readline(MAX_LINE + 1):
        rest = line
        while rest and len(line) > MAX_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE)
        yield line


def write_lines(lines: Iterable[bytes], options: Options) -> list[str]:
    """The JSON of each line: what one worker does."""
    return [write_item(parse_line(line), options) for line in lines]


def map_lines(lines: Iterable[bytes], options: Options, jobs: int = 1) -> Iterator[str]:
    """The JSON of each line, in order, by ``jobs`` processes; reads no further ahead than they need."""
    if jobs <= 1:
        for line in lines:
            yield write_item(parse_line(line), options)
        return
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing import get_context

    waiting: deque[Future[list[str]]] = deque()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for batch in group_lines(lines):
            waiting.append(pool.submit(write_lines, batch, options))
            if len(waiting) > 2 * jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def group_lines(lines: Iterable[bytes], size: int = BATCH) -> Iterator[list[bytes]]:
    source = iter(lines)
    while batch := list(islice(source, size)):
        yield batch


def sniff_input(file: IO[bytes]) -> tuple[Iterator[bytes] | None, bytes]:
    """What standard input holds: the lines of a ``.jsonl``, or (None and) the bytes of one config.

    It is a ``.jsonl`` when its first line is a whole JSON object that holds a config or is followed by another, or when
    it is no JSON as a whole and one of its lines holds a config.
    """
    lines = split_lines(file)
    head = take_until(lines, bytes.strip)
    item = parse_line(head[-1]) if head else None
    if item and item.config is not None:
        return chain(head, lines), b""
    if item and item.reason == "the line has no config":
        head += take_until(lines, bytes.strip)
        followed = len([line for line in head if line.strip()]) > 1
        return (chain(head, lines), b"") if followed else (None, b"".join(head))
    size = sum(map(len, head))
    for line in lines:
        head.append(line)
        size += len(line)
        if size > MAX_BYTES:
            break
    whole = b"".join(head)
    if parse_item(whole, "stdin").config is None and any(parse_line(line).config is not None for line in head):
        return chain(head, lines), b""
    return None, whole


def take_until(lines: Iterator[bytes], test: Callable[[bytes], object]) -> list[bytes]:
    """Lines up to and with the first one that passes ``test``."""
    taken: list[bytes] = []
    for line in lines:
        taken.append(line)
        if test(line):
            break
    return taken
