"""Configs on this machine: a folder of them, one ``.json``, or a ``.jsonl`` of ``{"repo_id", "config"}``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

from zoo.config_text import MAX_BYTES, parse_config
from zoo.errors import BadInput
from zoo.sources.facts import read_facts
from zoo.sources.names import SHA, is_repo_id, make_local_id, split_double_dash
from zoo.sources.record import HubFacts, ModelRecord, Problem

#: Files that lie beside a config.json and are none.
_COMPANIONS = frozenset(
    {
        "adapter_config.json",
        "added_tokens.json",
        "chat_template.json",
        "config_sentence_transformers.json",
        "generation_config.json",
        "model_index.json",
        "modules.json",
        "preprocessor_config.json",
        "processor_config.json",
        "quantize_config.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
    }
)
_NO_FACTS = HubFacts()
#: A folder that holds one of these is one model: what lies deeper are its parts.
_MODEL_MARKS = frozenset({"config.json", "model_index.json", "modules.json", "adapter_config.json"})


def read_path(path: Path) -> Iterator[ModelRecord]:
    """Records of what is at ``path``, read one by one.

    A file that should be a config and cannot be used yields a record with its problem.

    Raises:
        BadInput: there is nothing at ``path``, or nothing that zoo reads.
    """
    if path.is_dir():
        return read_folder(path)
    if not path.exists():
        raise BadInput(str(path), "there is no such file or folder")
    if path.suffix == ".jsonl":
        return read_jsonl(path)
    if path.suffix == ".json":
        return iter([read_config_file(path, _name_file(path.resolve()))])
    raise BadInput(str(path), "is neither a folder nor a .json or .jsonl file")


def read_folder(root: Path) -> Iterator[ModelRecord]:
    """Every config below ``root``: files named ``config.json``, and other ``.json`` that hold a model's config.

    Ids come from the path: ``author/name/config.json``, ``author--name/config.json``, ``models--author--name/…``
    (the layout of the Hugging Face cache, whose commit is taken over), else ``local/<name>``.

    Raises:
        BadInput: nothing below ``root`` looks like a config.
    """
    names: set[str] = set()
    for path in _walk_configs(root):
        repo_id, sha = _name_path(root.resolve(), path)
        if repo_id.startswith("local/"):
            repo_id = _make_unique(repo_id, path, names)
        record = read_config_file(path, repo_id, sha)
        if path.name == "config.json" or _may_be_model(record, path):
            names.add(repo_id)
            yield record
    if not names:
        raise BadInput(str(root), "holds no config.json")


def read_jsonl(path: Path) -> Iterator[ModelRecord]:
    """One record a line of ``{"repo_id", "config"}``; ``sha`` and ``facts`` (as the Hub lists them) may stand beside.

    A bad line yields a record whose problem names file and line. Empty lines are passed over.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_BYTES + 2):
            number += 1
            if len(line) > MAX_BYTES:
                _skip_rest(file, line)
            if line.strip():
                yield _read_line(line, path, number)


def _walk_configs(root: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(root.resolve()):
        if "config.json" in files:
            yield Path(folder, "config.json")
        else:
            candidates = sorted(name for name in files if name.endswith(".json") and name not in _COMPANIONS)
            yield from (Path(folder, name) for name in candidates if not name.endswith(".index.json"))
        inner[:] = [] if _MODEL_MARKS.intersection(files) else sorted(inner)


def read_config_file(
    path: Path, repo_id: str, sha: str | None = None, *, source: Literal["folder", "cache"] = "folder"
) -> ModelRecord:
    """The record of one file; a file that cannot be used gives the problem in its place."""
    config: dict[str, Any] | None = None
    problem: Problem | None = None
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            problem = Problem("too_large", f"{path}: is larger than {MAX_BYTES // 1_000_000} MB")
        else:
            config = parse_config(data, source=str(path))
    except OSError as error:
        problem = Problem("failed", f"{path}: cannot be read: {error.strerror or error}")
    except BadInput as error:
        problem = Problem("malformed", str(error))
    return ModelRecord(repo_id, source, config, problem, sha, origin=f"file {path}")


def _may_be_model(record: ModelRecord, path: Path) -> bool:
    """Whether a ``.json`` of any name is worth a row: a model's config, or a broken object that may have been one."""
    if record.config is not None:
        return "model_type" in record.config or "architectures" in record.config
    if record.problem is None or record.problem.kind != "malformed":
        return False
    with path.open("rb") as file:
        return file.read(100).lstrip().startswith(b"{")


def _read_line(line: bytes, path: Path, number: int) -> ModelRecord:
    place = f"{path}, line {number}"
    repo_id: str | None = None
    if len(line) > MAX_BYTES:
        repo_id = _name_line(path, number)
        problem = Problem("too_large", f"{place}: is larger than {MAX_BYTES // 1_000_000} MB")
        return ModelRecord(repo_id, "folder", problem=problem, origin=place)
    try:
        item = parse_config(line, source=place)
        repo_id = _read_id(item, place) or _name_line(path, number)
        config, sha, facts = _read_item(item, place)
    except BadInput as error:
        repo_id = repo_id or _name_line(path, number)
        return ModelRecord(repo_id, "folder", problem=Problem("malformed", str(error)), origin=place)
    return ModelRecord(repo_id, "folder", config, sha=sha, facts=facts, origin=place)


def _name_line(path: Path, number: int) -> str:
    return make_local_id(f"{path.stem}-{number}")


def _read_id(item: Mapping[str, Any], place: str) -> str | None:
    repo_id = item.get("repo_id")
    if repo_id is None:
        return None
    if not isinstance(repo_id, str) or not is_repo_id(repo_id):
        raise BadInput(place, f"repo_id {str(repo_id)[:100]!r} is no repository id")
    return repo_id


def _read_item(item: Mapping[str, Any], place: str) -> tuple[dict[str, Any], str | None, HubFacts]:
    config, sha, facts = item.get("config"), item.get("sha"), item.get("facts")
    if not isinstance(config, dict):
        raise BadInput(place, "has no config" if config is None else "its config is no JSON object")
    if sha is not None and not (isinstance(sha, str) and SHA.match(sha)):
        raise BadInput(place, "its sha is no commit of 40 hexadecimal digits")
    if facts is not None and not isinstance(facts, dict):
        raise BadInput(place, "its facts are no JSON object")
    return config, sha, read_facts(facts) if facts else _NO_FACTS


def _skip_rest(file: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_BYTES)


def _name_path(root: Path, path: Path) -> tuple[str, str | None]:
    """Repository id and commit as the path tells them."""
    parts = path.relative_to(root).parts
    if path.name != "config.json":
        return _name_file(path), None
    for depth, part in enumerate(parts[:-1]):
        if part.startswith("models--") and (cached := _name_cached(part)):
            below = parts[depth + 1 : -1]
            is_commit = len(below) == 2 and below[0] == "snapshots" and SHA.match(below[1])
            return cached, below[1] if is_commit else None
    folder = path.parent
    if (split := split_double_dash(folder.name)) is not None:
        return split, None
    if len(parts) >= 3 and is_repo_id(both := f"{parts[-3]}/{parts[-2]}"):
        return both, None
    return make_local_id(folder.name), None


def _name_cached(folder_name: str) -> str | None:
    repo_id = folder_name.removeprefix("models--").replace("--", "/")
    return repo_id if is_repo_id(repo_id) else None


def _name_file(path: Path) -> str:
    stem = path.parent.name if path.name == "config.json" else path.stem
    return split_double_dash(stem) or make_local_id(stem)


def _make_unique(repo_id: str, path: Path, names: set[str]) -> str:
    """Another id for the second file of one name: that of its folder before it, then a number."""
    if repo_id not in names:
        return repo_id
    base = make_local_id(f"{path.parent.name}-{repo_id.removeprefix('local/')}")
    tries = (base if number == 1 else f"{base}-{number}" for number in range(1, len(names) + 2))
    return next(candidate for candidate in tries if candidate not in names)
