"""A report of a thousand models, as HTML and as PDF, beside WeasyPrint alone with a plain table of as many rows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.estimating import load_configs

MODELS = 1_000
COLUMNS = 14
#: WeasyPrint as it is, and a table of the same rows and columns: no tags, no links, no styles but a small font.
PLAIN = """
import sys, weasyprint
rows, columns = int(sys.argv[1]), int(sys.argv[2])
cells = "".join(f"<td>{number * 7919:,}</td>" for number in range(columns))
table = f"<table><thead><tr>{'<th>Head</th>' * columns}</tr></thead><tbody>{f'<tr>{cells}</tr>' * rows}</tbody></table>"
style = "<style>@page { size: A4 landscape } table { font-size: 7pt; width: 100% }</style>"
weasyprint.HTML(string=style + table).write_pdf()
"""


class Run(NamedTuple):
    """Wall time in seconds, and the most memory that the process held, in bytes."""

    seconds: float
    peak: int


def run_alone(words: list[str]) -> Run:
    """Run a command to its end, in a process whose only child it is: so that its memory can be told."""
    code = (
        "import resource, subprocess, sys, time; start = time.perf_counter(); "
        "subprocess.run(sys.argv[1:], check=True, stdout=-3); "
        "print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(float(seconds), int(peak) * unit)


def vary_configs(count: int) -> list[dict[str, object]]:
    """``count`` models from the configs of the snapshot, each with a vocabulary and a name of its own."""
    models: list[dict[str, object]] = []
    for number, config in enumerate(islice(cycle(load_configs()), count)):
        changed = dict(config)
        if isinstance(changed.get("vocab_size"), int):
            changed["vocab_size"] += 64 * number
        models.append({"repo_id": f"acme/{config.get('model_type', 'model')}-{number}", "config": changed})
    return models


def bench_report() -> None:
    """One line for HTML and one for PDF, whole processes: reading the database, working out and writing."""
    zoo = str(Path(sys.executable).with_name("zoo"))
    with tempfile.TemporaryDirectory() as folder:
        listed, db = Path(folder, "models.jsonl"), f"{folder}/zoo.sqlite"
        listed.write_text("".join(json.dumps(model) + "\n" for model in vary_configs(MODELS)), encoding="utf-8")
        subprocess.run([zoo, "--db", db, "--quiet", "sync", "--source", str(listed)], check=True, stdout=-3)
        report = [zoo, "--db", db, "--quiet", "report", "--all", "--out", folder, "--format"]
        html, pdf = run_alone([*report, "html"]), run_alone([*report, "pdf"])
        size = Path(folder, "zoo-report.html").stat().st_size
    plain = run_alone([sys.executable, "-c", PLAIN, str(MODELS), str(COLUMNS)])
    bare = f"plain WeasyPrint table of {MODELS:,} rows {plain.seconds:.1f} s, {plain.peak / 1e6:,.0f} MB"
    print(
        f"report of {MODELS:,} models, HTML of {size / 1e6:.2f} MB: {html.seconds:.2f} s, {html.peak / 1e6:,.0f} MB; "
        f"{bare}: {plain.seconds / html.seconds:.1f} times"
    )
    print(
        f"report of {MODELS:,} models, PDF: {pdf.seconds:.1f} s, {pdf.peak / 1e6:,.0f} MB; "
        f"{bare}: {pdf.seconds / plain.seconds:.2f} times"
    )


if __name__ == "__main__":
    bench_report()
