"""What is said of models of one's own, as Markdown, CSV and JSON: the answer first."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from topdb.evidence.own_models import CONFIDENCE, Compared, ModelLine, PairLine
from topdb.files import write_csv, write_json, write_text
from topdb.metrics import metric
from topdb.reporting.rendering import DASH, markdown, p_value
from topdb.reporting.tidy import csv_value

Table = tuple[str, str, list[str], list[list[str]]]
"""A title, what explains it, a header and rows."""
PERCENT = f"{100 * CONFIDENCE:g} %"


def write_compared(found: Compared, folder: Path) -> None:
    """Write `comparison.md`, `.csv` (models and pairs), `.json`, and `queries.csv`."""
    write_text(folder / "comparison.md", _markdown(found))
    _write_rows(folder / "comparison.csv", found)
    write_json(folder / "comparison.json", _json(found))
    names = ["path", "person", "matches", "score", "reference_score", "difference"]
    rows = [{**vars(each), "difference": each.difference} for each in found.queries]
    if rows:
        kept = [{name: csv_value(row[name]) for name in names} for row in rows]
        write_csv(folder / "queries.csv", names, kept)


def tables(found: Compared) -> Iterator[Table]:
    """Yield the table of the models, and that of their pairs."""
    main = found.quantities[0]
    titles = [metric(name).title for name in found.quantities]
    rows = []
    for number, line in enumerate(found.of(main)):
        own = [found.of(name)[number] for name in found.quantities]
        place = str(line.first) if line.first == line.last else f"{line.first}{DASH}{line.last}"
        rows.append([place, line.name, str(line.runs), *map(_number, own)])
    over = " or ".join(dict.fromkeys(each.over for each in found.models))
    yield (
        "Models",
        f"Percent: mean ± standard deviation between runs [{PERCENT} interval over {over}]. "
        f"Place: by {titles[0]}, every place that the model may have; all sets hold the true "
        f"places at once with {PERCENT} confidence, and models that cannot be told apart share "
        "theirs.",
        ["Place", "Model", "Runs", *titles],
        rows,
    )
    if not found.pairs:
        return
    rows = []
    for number, pair in enumerate(found.pairs_of(main)):
        row = [f"{pair.name} − {pair.reference}"]
        for name in found.quantities:
            each = found.pairs_of(name)[number]
            row += [_difference(each), p_value(each.adjusted_p)]
        exact = p_value(pair.adjusted_permutation_p)
        row += [exact, f"{pair.won} / {pair.lost}", f"{pair.runs} + {pair.reference_runs}"]
        rows.append(row)
    header = ["Difference"]
    for title in titles:
        header += [f"Δ {title} [{PERCENT}]", "p"]
    header += [f"p over seeds alone, {titles[0]}", "Queries won / lost", "Runs"]
    tests = "; ".join(dict.fromkeys(each.test for each in found.pairs))
    yield (
        "Differences",
        f"Percentage points. p: two-sided, {tests}. p over seeds alone: exact permutations, which "
        "take these people as given. Both by Holm's method over all pairs of a metric.",
        header,
        rows,
    )


def facts(found: Compared) -> Iterator[str]:
    """Yield what was compared: queries, people, where each model comes from, doubts."""
    matched = found.matched
    yield f"{len(matched.paths)} queries, {found.people} people with a match."
    for each in matched.models:
        runs = each.model.checkpoints
        rules = runs[0].summary.evaluator
        ranked = "re-ranked" if rules.get("reranking") else "plain"
        sources = ", ".join(str(run.source) for run in runs)
        yield f"{each.name}: {sources} ({rules.get('metric', 'euclidean')}, {ranked})."
    yield from found.notes


def _number(line: ModelLine) -> str:
    spread = "" if math.isnan(line.sd) else f" ± {line.sd:.1f}"
    return f"{line.mean:.1f}{spread} [{line.low:.1f}, {line.high:.1f}]"


def _difference(pair: PairLine) -> str:
    return f"{pair.estimate:+.1f} [{pair.low:+.1f}, {pair.high:+.1f}]"


def _markdown(found: Compared) -> str:
    lines = [f"**{markdown(found.sentence)}**", ""]
    for title, explained, header, rows in tables(found):
        lines += [f"## {title}", "", markdown(explained), ""]
        lines += [_row(header), "|" + " :-- |" * len(header), *map(_row, rows), ""]
    lines += ["## Notes", "", *(f"- {markdown(each)}" for each in facts(found))]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(markdown, cells))} |"


def _write_rows(path: Path, found: Compared) -> None:
    """A row a model and metric, then a row a pair and metric, every digit kept."""
    names = dict.fromkeys(
        ["part", *(each.name for kind in (PairLine, ModelLine) for each in fields(kind))]
    )
    rows = [
        {name: csv_value(value) for name, value in {"part": part, **vars(line)}.items()}
        for part, lines in (("model", found.models), ("pair", found.pairs))
        for line in lines
    ]
    rows.append({"part": "note", "name": csv_value(found.sentence)})
    write_csv(path, [*names], rows)


def _json(found: Compared) -> dict[str, Any]:
    """Return everything but the queries; what is not a number is null."""
    return {
        "sentence": found.sentence,
        "confidence": CONFIDENCE,
        "queries": len(found.matched.paths),
        "people": found.people,
        "models": [_known(vars(each)) for each in found.models],
        "pairs": [_known(vars(each)) for each in found.pairs],
        "notes": list(facts(found)),
    }


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}
