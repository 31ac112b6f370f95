"""What every section is built from: the models, the context, the base that they are compared to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from zoo.errors import UsageError
from zoo.report.models import ReportModel, SourceRow, read_models
from zoo.report.tables import MOST_COLUMNS, Fact, Head, Table, head_model, lay_out, mark_changes

#: Contexts of the tables, beside the one that is asked for, in tokens.
CONTEXTS = (1 << 10, 1 << 13, 1 << 15, 1 << 17)
#: Where the curves of the cache begin, and where they end at the latest, in tokens.
FIRST_POINT = 1 << 9
LONGEST = 1 << 20
#: Beyond this many models the report turns from columns side by side to ranked rows and families.
MOST_COMPARED = 20


@dataclass(frozen=True, slots=True)
class Scope:
    """``curve``: the lengths at which the cache is drawn, in tokens; ``first``: the model that was named first."""

    models: tuple[ReportModel, ...]
    context: int
    curve: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    base: ReportModel | None = None
    first: str = ""

    @property
    def known(self) -> tuple[ReportModel, ...]:
        """The models that have numbers."""
        return tuple(m for m in self.models if m.reason is None)

    @property
    def is_ranked(self) -> bool:
        """Whether there are too many models to stand side by side."""
        return len(self.models) > MOST_COMPARED

    @property
    def exemplar(self) -> ReportModel | None:
        """The one model whose arithmetic is shown: the base, else the first that was named and has numbers."""
        if self.base is not None:
            return self.base
        return next((m for m in self.known if m.repo_id == self.first), next(iter(self.known), None))

    def lay_out(
        self,
        name: str,
        caption: str,
        facts: Sequence[Fact],
        models: Sequence[ReportModel] | None = None,
        most: int = MOST_COLUMNS,
        head: Callable[[ReportModel], Head] = head_model,
    ) -> tuple[Table, ...]:
        """The facts of ``models`` (else of all that have numbers) as tables that fit a page, changes against the base
        marked; none without models."""
        shown = self.known if models is None else models
        if not shown:
            return ()
        changed = [replace(f, read=mark_changes(f.read, self.base)) for f in facts] if self.base else facts
        return lay_out(name, caption, changed, shown, most, head)


def read_scope(rows: Sequence[SourceRow], context: int, notes: Sequence[str], base: str | None = None) -> Scope:
    """The models, analysed at every length that the report needs.

    Raises:
        UsageError: the base has no numbers to compare with.
    """
    many = len(rows) > MOST_COMPARED
    contexts = (*CONTEXTS, context) if many else choose_contexts(rows, context)
    models = read_models(rows, contexts, stored=many)
    longest = max([m.max_context or 0 for m in models] + [context, CONTEXTS[-1]])
    curve = () if many else tuple(tokens for tokens in contexts if FIRST_POINT <= tokens <= min(longest, LONGEST))
    first = rows[0].repo_id if rows else ""
    return Scope(models, context, curve, tuple(notes), find_base(models, base), first)


def find_base(models: Sequence[ReportModel], repo_id: str | None) -> ReportModel | None:
    """The model that the others are compared to, if one is asked for."""
    if repo_id is None:
        return None
    base = next(m for m in models if m.repo_id == repo_id)
    if base.reason is not None:
        raise UsageError(f"nothing can be compared to {repo_id}: {base.reason}")
    return base


def choose_contexts(rows: Iterable[SourceRow], context: int) -> tuple[int, ...]:
    """Every length that the report needs: the tables', the curves', and the windows', where curves bend."""
    curve = {FIRST_POINT << i for i in range(LONGEST.bit_length() - FIRST_POINT.bit_length() + 1)}
    bends = {value for row in rows for key in ("sliding_window", "max_context") if (value := row.row.get(key))}
    return tuple(sorted({*CONTEXTS, context, *curve, *(int(b) for b in bends if FIRST_POINT < int(b) <= LONGEST)}))
