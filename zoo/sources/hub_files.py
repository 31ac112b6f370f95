"""``config.json`` of one listed model: one request where the Hub has the short way to a file, and what came of it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import quote

from zoo.config_text import MAX_BYTES
from zoo.sources.hub_answers import ConfigReader, ListedModel, name_problem
from zoo.sources.hub_client import Answer, HubClient, TransferFailed
from zoo.sources.known import mark_commit
from zoo.sources.record import ModelRecord, Problem

_SCOUTING = 2.0  #: seconds that the others wait at most


class ConfigFetcher:
    """Fetches configs at ``revision``, or else at the commits that the listing names."""

    def __init__(self, client: HubClient, revision: str | None) -> None:
        self._client, self._revision = client, revision
        self._settings = client.settings
        self._has_token = bool(client.settings.token)
        self._trusts_etags = False  #: one was the hash of its config, so all are
        self._short_way: bool | None = None  #: whether it works here; None: not tried yet
        self._told: asyncio.Event | None = None  #: set when that is known

    @property
    def kind(self) -> str:
        """Kind of the addresses that most requests go to, as the pacer has them."""
        return "file" if self._short_way is False else "cache"

    async def fetch(self, listed: ListedModel) -> ModelRecord:
        """The record of ``listed``: its config, or why there is none.

        Raises:
            HubDown: the Hub as a whole does not answer.
            HubError: it refuses the token.
        """
        reader = ConfigReader(listed.repo_id, trusts_etags=lambda: self._trusts_etags)
        commit = listed.sha
        try:
            answer, commit = await self._get(listed, reader)
            problem = self._name_problem(answer, reader, listed)
        except TransferFailed as error:
            problem = Problem("failed", str(error))
        self._trusts_etags |= reader.verified
        if problem is not None and (reader.error is None or reader.verified):
            problem = mark_commit(problem, listed.sha)
        config = reader.config if problem is None else None
        return ModelRecord(
            listed.repo_id, "hub", config, problem, commit, listed.facts, renamed_from=listed.renamed_from
        )

    def _name_problem(self, answer: Answer, reader: ConfigReader, listed: ListedModel) -> Problem | None:
        if answer.status != 200:
            return name_problem(answer, has_token=self._has_token, listed=listed)
        if answer.too_large:
            return Problem("too_large", f"config.json is larger than {MAX_BYTES // 1_000_000} MB")
        return None if reader.error is None else Problem("malformed", reader.error)

    async def _get(self, listed: ListedModel, reader: ConfigReader) -> tuple[Answer, str | None]:
        """The answer, and the commit that it is of.

        A commit that has been replaced since it was listed is no loss: then the newest is read.
        """
        place = f"{self._settings.endpoint}/{listed.repo_id}/resolve"
        at = listed.sha or quote(self._revision or "main", safe="")
        # Files of gated, private and old one-word repositories are served by /resolve itself, without a redirect.
        is_direct = "/" not in listed.repo_id or listed.facts.gated is not None or listed.facts.private
        answer: Answer | None = None
        if listed.sha is not None and not is_direct and self._short_way is not False:
            answer = await self._get_short(listed, reader)
        if answer is None:
            answer = await self._client.get(f"{place}/{at}/config.json", limit=MAX_BYTES, check=reader)
            if answer.status == 200 and self._short_way is None and listed.sha is not None and not is_direct:
                self._tell(False)
        if listed.sha is None:
            return answer, answer.commit
        if answer.headers.get("x-error-code") == "RevisionNotFound" and self._revision is None:
            answer = await self._client.get(f"{place}/main/config.json", limit=MAX_BYTES, check=reader)
            return answer, answer.commit
        return answer, listed.sha

    async def _get_short(self, listed: ListedModel, reader: ConfigReader) -> Answer | None:
        """By /api/resolve-cache; None where that is not to be believed, or is known to be missing."""
        await self._await_scout()
        if self._short_way is False:
            return None
        short = f"{self._settings.endpoint}/api/resolve-cache/models/{listed.repo_id}/{listed.sha}/config.json"
        try:
            answer = await self._client.get(short, limit=MAX_BYTES, check=reader)
        except TransferFailed as error:
            if self._short_way or not error.answered:
                raise
            return None  # what answers may not know this way: it has never worked yet
        code = answer.headers.get("x-error-code")
        if answer.status == 200 or code in {"RevisionNotFound", "GatedRepo"}:
            self._tell(True)
            return answer
        # The file is there, the listing says: whoever refuses it may not know this way to it.
        return answer if code == "EntryNotFound" and not listed.lists_config else None

    def _tell(self, works: bool) -> None:
        self._short_way = works
        if self._told is not None:
            self._told.set()

    async def _await_scout(self) -> None:
        """Let the first find out whether there is a short way, so that not all of them ask in vain."""
        if self._told is None:
            self._told = asyncio.Event()
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), _SCOUTING)
