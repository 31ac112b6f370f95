"""``zoo fit --reverse``: which models of the database fit on a device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from zoo.cli.context import Context
from zoo.cli.fit_print import describe_limit, print_narrow
from zoo.text import clean_text
from zoo.units import format_bytes, format_count

if TYPE_CHECKING:
    from zoo.metrics.reverse import Found, Search, Wish

T = TypeVar("T")
#: Rows of a table, unless --limit says otherwise.
TABLE_ROWS = 50


def list_fitting(out: Context, wish: Wish, models: str | None, sort: str, limit: int | None) -> None:
    """Look through the database and print what fits.

    Raises:
        UsageError: a format that there is not, or nothing to sort by.
        NoMatch: nothing fits, or ``models`` matches nothing.
    """
    from zoo.db.sizes import load_config, load_sizes
    from zoo.errors import NoMatch
    from zoo.metrics.reverse import check_wish, fill_found, find_fitting, sort_found

    check_wish(wish)
    sort_found([], sort)
    with out.open_engine().connect() as connection:
        rows = load_sizes(connection, models)

        def read(repo_id: str) -> Mapping[str, Any]:
            return load_config(connection, repo_id)

        search = find_fitting(follow(out, rows, "models looked at"), wish, read)
        found = sort_found(search.found, sort)
        shown = found[: limit or (len(found) if out.json else TABLE_ROWS)]
        filled = [fill_found(one, wish, read) for one in follow(out, shown, "models planned")]
    if out.json:
        out.print_json({**describe_wish(wish), **count_search(search), "models": [one.as_dict() for one in filled]})
    elif filled:
        print_found(out, filled, wish)
    print_search(out, search, len(found), len(filled))
    if not found:
        raise NoMatch(models or wish.device.name, what="model that fits")


def follow(out: Context, things: Sequence[T], what: str) -> Iterable[T]:
    """``things`` with a progress bar on stderr, where that is a terminal."""
    from rich.progress import track

    hidden = out.quiet or not out.err.is_terminal
    return track(things, what, console=out.err, transient=True, disable=hidden)


def print_found(out: Context, found: Sequence[Found], wish: Wish) -> None:
    """One line for each model."""
    number = f"{wish.split.devices} × " if wish.split.devices > 1 else ""
    sequences = "one sequence" if wish.batch == 1 else f"{wish.batch:,} sequences"
    out.out.print(f"{number}{wish.device.name}: {sequences} of {wish.context:,} tokens", style="bold")
    columns = ("model", "size", "active", "weights", "needed", "longest context", "sequences", "tokens/s ≤")
    rows = [list_found(one) for one in found]
    if out.out.is_terminal:
        print_narrow(out, columns, rows)
    else:
        from zoo.cli.tables import print_table

        print_table(out.out, columns, rows)


def list_found(one: Found) -> tuple[str, ...]:
    """One model as cells."""
    fit = one.fit
    longest = fit.longest_context_tokens if fit else 0
    declared = one.max_context if fit is None or (one.max_context or 0) >= fit.context_tokens else None
    if declared and (longest is None or longest >= declared):
        reach = f"{one.max_context:,} (all)"
    else:
        reach = describe_limit(longest)
    speed = fit.decode_tokens_per_second_at_most if fit else None
    twins = f" (+{len(one.twins)})" if one.twins else ""
    return (
        clean_text(one.repo_id) + twins,
        format_count(one.params_total),
        format_count(one.params_active) if one.params_active != one.params_total else "all",
        one.quantization + ("" if one.as_stored else " *"),
        format_bytes(one.needed_bytes),
        reach,
        describe_limit(fit.most_sequences) if fit else "–",
        "–" if speed is None else f"{speed:,.0f}",
    )


def print_search(out: Context, search: Search, found: int, shown: int) -> None:
    """What was looked at and what was left out."""
    out.note(
        f"models looked at: {search.looked_at:,}; they fit: {found:,} (twins counted once);"
        f" too large: {search.larger:,}; made for fewer tokens: {search.shorter:,};"
        f" without numbers: {search.no_numbers:,}"
    )
    if shown < found:
        out.note(f"{shown:,} of {found:,} are shown (--limit shows more)")
    if any(not one.as_stored for one in search.found):
        out.note("* not as stored: sized as a tool would quantise it, which the author may not publish")
    if any(one.twins for one in search.found):
        out.note("(+N) further models of the same architecture and sizes")
    if shown:
        out.note("tokens/s is a bound: zoo fit MODEL says more")


def describe_wish(wish: Wish) -> dict[str, object]:
    return {
        "device": wish.device.name,
        "gpus": wish.split.devices,
        "context_tokens": wish.context,
        "batch": wish.batch,
        "weights_dtype": wish.weights_dtype,
        "kv_dtype": wish.kv_dtype,
        "usable_bytes": wish.device.usable_bytes,
    }


def count_search(search: Search) -> dict[str, object]:
    return {
        "looked_at": search.looked_at,
        "too_large": search.larger,
        "made_for_fewer_tokens": search.shorter,
        "without_numbers": search.no_numbers,
        "fitting": len(search.found),
    }
