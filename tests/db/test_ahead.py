"""Two processes that read and save: whatever becomes of the second, the records are those of the source."""

from __future__ import annotations

import io
import json
import queue
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tests.records import make_config
from zoo.db import ahead
from zoo.db.ahead import FAR, FRAME, build_frames, read_ahead, read_frame, unpack_record, write_frame, write_frames
from zoo.db.derive import analysis_version
from zoo.db.session import open_engine
from zoo.db.spelling import SpelledConfig, spell_config
from zoo.db.store import DatabaseStore
from zoo.errors import BadInput
from zoo.sources.folder import read_path
from zoo.sources.record import HubFacts, ModelRecord, Problem

ARCHITECTURES = 7


def write_models(path: Path, count: int) -> Path:
    """Fine-tunes of :data:`ARCHITECTURES` models, some with facts, and some lines that are none."""
    lines: list[Any] = []
    for number in range(count):
        config = make_config(vocab_size=100 + number % ARCHITECTURES, _name_or_path=f"user/{number}")
        lines.append({"repo_id": f"user/m{number}", "config": config})
        if number % 5 == 0:
            lines[-1] |= {"sha": f"{number:040x}", "facts": {"downloads": number, "tags": ["license:mit"]}}
        if number % 50 == 7:
            lines[-1] = ["no object"]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_models(tmp_path / "models.jsonl", 1000)


def read(source: Path) -> list[ModelRecord]:
    return list(read_ahead(source, worthwhile=10, handed_over=100))


def make_plain(records: list[ModelRecord]) -> list[tuple[Any, ...]]:
    return [
        (r.repo_id, r.source, r.problem, r.sha, r.facts, r.origin, r.config and dict(r.config), r.unchanged)
        for r in records
    ]


def kill_after(frames: int, monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Let the reader die once so many frames (the first is its version) have come; the readers that were started."""
    readers: list[subprocess.Popen[bytes]] = []
    start, left = ahead.start_reader, iter(range(frames))

    def start_noted(*words: Any) -> Any:
        readers.append(start(*words))  # type: ignore[arg-type]  # it starts here
        return readers[-1]

    def read_or_kill(pipe: Any) -> Any:
        if next(left, None) is None:
            readers[0].kill()
            readers[0].wait()
            pipe.read()
        return read_frame(pipe)

    monkeypatch.setattr(ahead, "start_reader", start_noted)
    monkeypatch.setattr(ahead, "read_frame", read_or_kill)
    return readers


def test_two_processes_give_what_one_gives(source: Path) -> None:
    records = read(source)
    assert make_plain(records) == make_plain(list(read_path(source)))
    assert sum(isinstance(record.config, SpelledConfig) for record in records) > 800


def test_few_records_are_read_by_one_process(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "start_reader", lambda *words: pytest.fail("a process was started"))
    assert len(list(read_ahead(source, worthwhile=1001))) == 1000


def test_a_reader_that_comes_too_late_is_ended(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = kill_after(9, monkeypatch)
    assert len(list(read_ahead(source, worthwhile=10, handed_over=5000))) == 1000
    assert readers[0].poll() is not None


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_what_a_reader_that_dies_had_not_sent_is_read_here(
    source: Path, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    kill_after(frames, monkeypatch)
    assert make_plain(read(source)) == make_plain(list(read_path(source)))


def test_a_reader_of_another_version_is_not_listened_to(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "analysis_version", lambda: "another")
    assert make_plain(read(source)) == make_plain(list(read_path(source)))
    assert not any(isinstance(record.config, SpelledConfig) for record in read(source))


@pytest.mark.parametrize("command", ["raise SystemExit(3)", "print('noise')", "import time; time.sleep(60)"])
def test_a_reader_that_fails_or_talks_nonsense_is_done_without(
    source: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    if "sleep" in command:  # killed from outside, as by a lack of memory
        kill_after(0, monkeypatch)
    monkeypatch.setattr(ahead, "_COMMAND", command)
    assert make_plain(read(source)) == make_plain(list(read_path(source)))


def test_where_no_process_can_be_started_one_does_all(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert make_plain(read(source)) == make_plain(list(read_path(source)))


def test_a_caller_that_stops_ends_the_reader(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = kill_after(9, monkeypatch)
    records = read_ahead(source, worthwhile=10, handed_over=20)
    for _ in range(30):
        next(records)
    assert isinstance(records, Iterator)
    records.close()  # type: ignore[attr-defined]  # a generator
    assert readers[0].poll() is not None


def test_a_source_that_is_not_there_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such file"):
        read(tmp_path / "none.jsonl")


def test_a_folder_is_read_ahead_too(tmp_path: Path) -> None:
    for number in range(150):
        folder = tmp_path / f"acme--m{number}"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(make_config(vocab_size=number + 1)) if number % 9 else "[]")
    assert make_plain(read(tmp_path)) == make_plain(list(read_path(tmp_path)))


def test_what_two_processes_saved_is_what_one_saves(source: Path, tmp_path: Path) -> None:
    tables = ("model", "config", "config_body", "analysis", "analysis_body", "part", "revision", "sync_error")
    saved = []
    for name, records in (("one", list(read_path(source))), ("two", read(source))):
        engine = open_engine(str(tmp_path / f"{name}.sqlite"), write=True)
        store = DatabaseStore(engine)
        for start in range(0, len(records), 300):
            store.save(records[start : start + 300])
        store.close()
        with engine.connect() as connection:
            rows = {table: connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).all() for table in tables}
        saved.append({table: [[v for v in row if not is_time(v)] for row in found] for table, found in rows.items()})
    assert saved[0] == saved[1]
    assert len(saved[0]["analysis"]) == ARCHITECTURES


def is_time(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("Z") and value.startswith("20")


def make_records(count: int) -> list[ModelRecord]:
    return [ModelRecord(f"a/m{n}", "folder", make_config(vocab_size=100 + n % 3, x=n)) for n in range(count)]


def test_frames_are_bounded_by_records_and_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [len(frame) for frame in build_frames(make_records(2 * FRAME + 1), lambda: 0)] == [FRAME, FRAME, 1]
    monkeypatch.setattr(ahead, "FRAME_SIZE", 1000)
    assert {len(frame) for frame in build_frames(make_records(9), lambda: 0)} == {3}


@pytest.mark.parametrize("waiting", [0, FAR])
def test_each_core_is_sent_once_and_analysed_where_there_is_time(waiting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    base = {"model_type": "llama"}
    records = [ModelRecord(f"a/m{n}", "folder", base | {"n": n % 3, "_name_or_path": str(n)}) for n in range(9)]
    (frame,) = build_frames(records, lambda: waiting)
    configs = [unpack_record(packed).config for packed in frame]
    spelled = [config for config in configs if isinstance(config, SpelledConfig)]
    assert [config.core is not None for config in spelled] == [waiting == 0] * 3 + [False] * 6
    assert [config.derived is not None for config in spelled] == [waiting > 0] * 3 + [False] * 6
    assert len({config.core_name for config in spelled}) == 3
    monkeypatch.setattr(ahead, "REMEMBERED", 2)
    (frame,) = build_frames(records, lambda: 0)
    assert all(packed[9] is not None for packed in frame)  # forgotten each time


def test_a_record_stays_the_same_on_its_way() -> None:
    facts = HubFacts(downloads=7, tags=("a", "b"), reported_by_dtype={"BF16": 3})
    problem = ModelRecord("a/b", "folder", None, Problem("malformed", "it is a list"), None, origin="x, line 3")
    for record in (ModelRecord("a/b", "folder", {"x": float("inf")}, sha="a" * 40, facts=facts), problem):
        ((packed,),) = build_frames([record], lambda: 0)
        assert make_plain([unpack_record(packed)]) == make_plain([record])


def test_a_spelled_config_is_read_like_any_other() -> None:
    config = spell_config({"b": float("inf"), "a": "\ud800\x00"})
    assert spell_config(config) is config
    assert dict(config) == {"a": "\ufffd\ufffd", "b": float("inf")}
    assert len(config) == 2
    bare = SpelledConfig(config.sha256, config.text)
    assert bare.name_core() == config.name_core()
    assert bare.derive() == config.derive()
    assert SpelledConfig(config.sha256, config.text).derive() == config.derive()


def test_a_frame_that_ends_early_is_an_end() -> None:
    pipe = io.BytesIO()
    write_frame(pipe, ["x" * 100])
    whole = pipe.getvalue()
    assert read_frame(io.BytesIO(whole)) == ["x" * 100]
    for end in (0, 3, 50):
        with pytest.raises(EOFError):
            read_frame(io.BytesIO(whole[:end]))


def test_frames_begin_with_the_version_and_end_with_none() -> None:
    pipe, frames = io.BytesIO(), queue.Queue[Any]()
    for frame in ([("a",)], None, [("never",)]):
        frames.put(frame)
    write_frames(pipe, frames)
    pipe.seek(0)
    assert read_frame(pipe) == analysis_version()
    assert read_frame(pipe) == [("a",)]
    assert read_frame(pipe) is None
    with pytest.raises(EOFError):
        read_frame(pipe)


def test_a_reader_whose_caller_is_gone_ends(source: Path) -> None:
    reader = ahead.start_reader(write_models(source, 30_000), 0)
    assert reader is not None
    assert reader.stdout is not None
    assert read_frame(reader.stdout) == analysis_version()
    reader.stdout.close()
    assert reader.wait(30) == 1
