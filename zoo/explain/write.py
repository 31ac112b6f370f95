"""An explanation as Markdown and as LaTeX. Text of the config is escaped for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from zoo.explain.arithmetic import Arithmetic
from zoo.explain.explanation import Explanation, group_facts, list_defaults
from zoo.explain.keys import USES
from zoo.explain.prose import (
    DENSE_RULE,
    describe_verdict,
    find_dense_equivalent,
    list_not_counted,
    list_sizes,
    list_splits,
    list_totals,
    title_step,
)
from zoo.explain.standing import PERCENTILES
from zoo.text import clean_text

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "θ": r"$\theta$",
    "×": r"$\times$",
    "−": "--",
    "–": "--",
    "…": r"\dots{}",
    "√": r"$\surd$",
    "→": r"$\to$",
    "²": r"\textsuperscript{2}",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}


#: The first sign beyond Latin-1.
_FOREIGN = "\u0100"
#: Lines of a drawing in plain ASCII, which every LaTeX can set.
_LINES = str.maketrans({"┌": "+", "└": "+", "─": "-", "│": "|", "×": "x", "·": "*", "−": "-", "…": "."})
_LATEX_WIDTH = 84


def escape_markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", clean_text(text).replace("\n", " "))


def escape_latex(text: str) -> str:
    """``text`` for LaTeX; signs that its usual fonts lack, such as those of other scripts, become question marks."""
    signs = clean_text(text).replace("\n", " ")
    return "".join(_LATEX.get(sign) or (sign if sign < _FOREIGN else "?") for sign in signs)


def write_markdown(said: Explanation) -> str:
    """The explanation as Markdown with tables."""
    lines = [f"# {escape_markdown(said.repo_id)}", ""]
    lines += [escape_markdown(said.summary), ""] if said.summary else []
    lines += ["## Every key of its config", ""]
    for group, facts in group_facts(said.keys):
        heads = ("key", "value", "what it is", "what it changes", "read by zoo", "among others")
        lines += [f"### {group.capitalize()}", "", f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
        for fact in facts:
            cells = (fact.path, fact.text, fact.meaning, fact.changes, USES[fact.use], said.compare_key(fact))
            lines.append(f"| {' | '.join(escape_markdown(cell) for cell in cells)} |")
        lines.append("")
    lines += [escape_markdown(PERCENTILES), ""] if said.standings else []
    if said.defaults:
        lines += ["### Left out of the config: the defaults of the type", "", "| key | value |", "| --- | --- |"]
        lines += [f"| {escape_markdown(key)} | {escape_markdown(text)} |" for key, text in list_defaults(said.defaults)]
        lines.append("")
    if said.ledger:
        lines += ["## Its layers, one of each kind", ""]
        lines += ["```text", clean_text(said.draw_layers()).replace("`", "'"), "```", ""]
    lines += ["## Its parameters, step by step", ""]
    if said.sums is None:
        return "\n".join([*lines, f"Not counted: {escape_markdown(said.reason or '')}.", ""])
    return "\n".join([*lines, *write_sums_markdown(said.sums, said.reported), ""])


def write_sums_markdown(sums: Arithmetic, reported: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| symbol | value | meaning |", "| --- | ---: | --- |")
    for letter, value, meaning in sums.legend:
        yield f"| {escape_markdown(letter)} | {value:,} | {escape_markdown(meaning)} |"
    yield from (
        "",
        "| tensors | in symbols | in numbers | elements | sum so far |",
        "| --- | --- | --- | ---: | ---: |",
    )
    for step in sums.steps:
        used = f"; of these a token passes through {step.active_product} = {step.active:,}"
        symbols = step.product.text + (used if step.active_product else "")
        cells = (title_step(step), symbols, step.product.numbers, f"{step.elements:,}", f"{step.running:,}")
        yield f"| {' | '.join(escape_markdown(cell) for cell in cells)} |"
    for title, rows in (("Total", list_totals(sums)), ("Split", list_splits(sums)), ("Size", list_sizes(sums))):
        yield from ("", f"### {title}", "", "| | |", "| --- | ---: |")
        yield from (f"| {escape_markdown(label)} | {escape_markdown(value)} |" for label, value in rows)
    if find_dense_equivalent(sums) is not None:
        yield from ("", escape_markdown(DENSE_RULE))
    yield from ("", escape_markdown(describe_verdict(sums, reported)), "", "### What does not count, and why", "")
    yield from (f"- {escape_markdown(said)}" for said in list_not_counted(sums))


def write_latex(said: Explanation) -> str:
    """The explanation as a LaTeX document that needs amsmath and nothing else."""
    lines = [r"\documentclass{article}", r"\usepackage{amsmath}", r"\begin{document}"]
    lines += [rf"\section*{{{escape_latex(said.repo_id)}}}", escape_latex(said.summary)]
    for group, facts in group_facts(said.keys):
        lines += [rf"\subsection*{{{group.capitalize()}}}", r"\begin{description}"]
        for fact in facts:
            name = rf"\item[{{\texttt{{{escape_latex(fact.path)}}}}}] \texttt{{{escape_latex(fact.text)}}}"
            among = f" Among others: {escape_latex(said.compare_key(fact))}." if said.compare_key(fact) else ""
            lines.append(f"{name} {escape_latex(fact.meaning)} Changes: {escape_latex(fact.changes)}.{among}")
        lines.append(r"\end{description}")
    if said.defaults:
        lines += [r"\subsection*{Left out of the config: the defaults of the type}", r"\begin{itemize}"]
        for key, text in list_defaults(said.defaults):
            lines.append(rf"\item \texttt{{{escape_latex(key)}}} = \texttt{{{escape_latex(text)}}}")
        lines.append(r"\end{itemize}")
    lines += [escape_latex(PERCENTILES)] if said.standings else []
    if said.ledger:
        lines.append(r"\subsection*{Layers, one of each kind}")
        drawing = clean_text(said.draw_layers(_LATEX_WIDTH)).translate(_LINES)
        lines += [r"{\footnotesize\begin{verbatim}", drawing, r"\end{verbatim}}"]
    lines.append(r"\subsection*{Parameters, step by step}")
    if said.sums is None:
        lines.append(f"Not counted: {escape_latex(said.reason or '')}.")
    else:
        lines += write_sums_latex(said.sums, said.reported)
    return "\n".join([*lines, r"\end{document}", ""])


def write_sums_latex(sums: Arithmetic, reported: Mapping[str, Any]) -> Iterator[str]:
    yield r"\begin{itemize}"
    for letter, latex, value, meaning in zip_legend(sums):
        yield rf"\item ${latex} = {write_number(value)}$: {escape_latex(meaning)}% {letter}"
    yield r"\end{itemize}"
    for step in sums.steps:
        product = step.product
        numbers = product.numbers.replace(",", "{,}").replace("×", r"\times")
        yield rf"\paragraph{{{escape_latex(title_step(step))}}}"
        yield r"\begin{align*}"
        yield rf"{product.latex} &= {numbers} = {write_number(product.value)} \\"
        if step.active_product:
            yield rf"\text{{a token passes through}} &= {write_number(step.active)} \\"
        yield rf"\text{{sum so far}} &= {write_number(step.running)}"
        yield r"\end{align*}"
    for rows in (list_totals(sums), list_splits(sums), list_sizes(sums)):
        yield r"\noindent\begin{tabular}{lr}"
        yield from (rf"{escape_latex(label)} & {escape_latex(value)} \\" for label, value in rows)
        yield r"\end{tabular}\par\medskip"
    if find_dense_equivalent(sums) is not None:
        yield escape_latex(DENSE_RULE) + r"\par"
    yield escape_latex(describe_verdict(sums, reported))
    yield from (r"\subsection*{What does not count, and why}", r"\begin{itemize}")
    yield from (rf"\item {escape_latex(said)}" for said in list_not_counted(sums))
    yield r"\end{itemize}"


def zip_legend(sums: Arithmetic) -> Iterator[tuple[str, str, int, str]]:
    from zoo.explain.symbols import write_letter

    for letter, value, meaning in sums.legend:
        yield letter, write_letter(letter), value, meaning


def write_number(value: int) -> str:
    return f"{value:,}".replace(",", "{,}")
