"""The local Hugging Face cache: every revision of a model whose ``config.json`` was downloaded by any tool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import BadInput
from zoo.sources.folder import read_config_file
from zoo.sources.record import ModelRecord

if TYPE_CHECKING:
    from huggingface_hub import CachedRevisionInfo


def read_cache(folder: Path | None = None) -> Iterator[ModelRecord]:
    """Records of all cached revisions that hold a ``config.json``, ``main`` last of each model, so that it is current.

    ``folder`` is the cache (else ``HF_HUB_CACHE`` or ``HF_HOME`` say where it is).

    Raises:
        BadInput: there is no cache at that place.
    """
    from huggingface_hub import CacheNotFound, scan_cache_dir

    try:
        cache = scan_cache_dir(folder)
    except (CacheNotFound, ValueError) as error:
        place = getattr(error, "cache_dir", folder)
        raise BadInput(str(place), "holds no Hugging Face cache (HF_HUB_CACHE and HF_HOME say where it is)") from None
    for repo in sorted(cache.repos, key=lambda repo: repo.repo_id):
        if repo.repo_type == "model":
            for revision in sorted(repo.revisions, key=_rank_revision):
                yield from _read_revision(repo.repo_id, revision)


def _rank_revision(revision: CachedRevisionInfo) -> tuple[bool, float, str]:
    return "main" in revision.refs, revision.last_modified, revision.commit_hash


def _read_revision(repo_id: str, revision: CachedRevisionInfo) -> Iterator[ModelRecord]:
    path = revision.snapshot_path / "config.json"
    if path.is_file():
        yield read_config_file(path, repo_id, revision.commit_hash, source="cache")
