"""What to bring: the terms and filters of ``zoo sync``, the same for every source."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from zoo.errors import UsageError
from zoo.sources.names import is_repo_id

_GLOB = frozenset("*?[")


@dataclass(slots=True)
class Findings:
    """What a source has to say beside its records: sentences for people, and terms that matched nothing."""

    notes: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Selection:
    """Exact ids, terms (globs and pieces of names) and the Hub's own filters; the parts are added up.

    With ``top``, each term and each filter keeps its most downloaded. Nothing named at all is the whole source.
    """

    ids: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    author: str | None = None
    search: str | None = None
    top: int | None = None
    everything: bool = False
    revision: str | None = None

    @property
    def has_listing(self) -> bool:
        """Whether a listing of the Hub is asked for, beside ids and terms."""
        return bool(self.author or self.search or self.everything or (self.top and not self.terms and not self.ids))

    @property
    def is_empty(self) -> bool:
        return not (self.ids or self.terms or self.has_listing)

    def need_hub(self) -> list[str]:
        """The options that only the Hub can answer, as they are typed."""
        named = {"--top": self.top is not None, "--all": self.everything, "--revision": self.revision is not None}
        return [option for option, given in named.items() if given]


def build_selection(
    terms: Sequence[str] = (),
    *,
    ids: Sequence[str] = (),
    author: str | None = None,
    search: str | None = None,
    top: int | None = None,
    everything: bool = False,
    revision: str | None = None,
) -> Selection:
    """Sort ``terms`` into ids (``author/name``) and the rest, and check that the options go together.

    Raises:
        UsageError: a term that can be no id, glob or piece of a name; options that contradict each other.
    """
    for term in terms:
        if not is_glob(term) and not is_repo_id(term):
            raise UsageError(
                f"{term!r} is neither a repository id nor a pattern: write author/name, 'author/*' or a word"
            )
        if is_glob(term) and not find_literals(term):
            raise UsageError(f"{term!r} matches everything: use --all to bring every model of the Hub")
    if top is not None and top < 1:
        raise UsageError(f"--top takes a number of models, 1 or more, not {top}")
    if everything and (top or terms or ids or author or search):
        raise UsageError("--all brings every model of the Hub: leave out the terms and the other filters")
    exact = [term for term in terms if "/" in term and not is_glob(term)]
    rest = tuple(dict.fromkeys(term for term in terms if term not in exact))
    if revision is not None and (rest or author or search or top or everything or not (exact or ids)):
        raise UsageError("--revision goes with repository ids: zoo sync author/name --revision v1.0")
    unique = {repo_id.casefold(): repo_id for repo_id in reversed([*ids, *exact])}
    return Selection(tuple(reversed(unique.values())), rest, author, search, top, everything, revision)


def is_glob(term: str) -> bool:
    """Whether ``term`` holds a wildcard of the shell."""
    return not _GLOB.isdisjoint(term)


def find_literals(glob: str) -> list[str]:
    """The pieces of a glob that stand for themselves, longest first; a slash parts them too."""
    return sorted(re.findall(r"[A-Za-z0-9_.-]+", re.sub(r"\[[^]]*\]", "*", glob)), key=len, reverse=True)


def make_matcher(selection: Selection) -> Callable[[str], bool]:
    """A test of repository ids for sources that are read as a whole; letter case does not count."""
    if selection.is_empty or not (selection.ids or selection.terms or selection.author or selection.search):
        return lambda repo_id: True
    ids = {repo_id.casefold() for repo_id in selection.ids}
    tests = [make_term_test(term) for term in selection.terms]
    if selection.author or selection.search:
        tests.append(_make_filter_test(selection.author, selection.search))

    def match(repo_id: str) -> bool:
        return repo_id.casefold() in ids or any(test(repo_id) for test in tests)

    return match


def make_term_test(term: str) -> Callable[[str], bool]:
    """Whether an id matches one term: a glob over the whole id (or over its name), or a piece of it."""
    wanted = term.casefold()
    if not is_glob(term):
        return lambda repo_id: wanted in repo_id.casefold()
    if "/" in term:
        return lambda repo_id: fnmatchcase(repo_id.casefold(), wanted)
    return lambda repo_id: fnmatchcase(repo_id.casefold().rpartition("/")[2], wanted)


def _make_filter_test(author: str | None, search: str | None) -> Callable[[str], bool]:
    def match(repo_id: str) -> bool:
        namespace, _, _ = repo_id.casefold().rpartition("/")
        by_author = author is None or namespace == author.casefold()
        return by_author and (search is None or search.casefold() in repo_id.casefold())

    return match
