"""Every table, verdict, figure and the page again from the runs' stored files alone."""

from pathlib import Path

import numpy as np

from topdb.config import Params, Profile
from topdb.errors import UserError
from topdb.files import read_json, write_text
from topdb.reporting.answer import write_answer
from topdb.reporting.comparing import compare
from topdb.reporting.comparisons import Comparisons, write_comparisons
from topdb.reporting.figures import PICTURES, files_of, write_figures
from topdb.reporting.metrics import write_metrics, write_plots
from topdb.reporting.page.writing import write_page
from topdb.reporting.records import inner, number
from topdb.reporting.reports import FORMATS, document
from topdb.reporting.scores import Scores, read_scores
from topdb.reporting.titles import read_titles
from topdb.results.runs import TABLES, WHOLE, Cell, runs

AGREEMENT = 1e-6
"""Of a stored summary with the queries that it sums up, as a fraction."""


def recompute(
    params: Params, profile_name: str, results: Path, published: Path, out: Path
) -> Comparisons:
    """Judge the stored runs again; write everything that `reports/` has.

    Returns the comparisons of the whole grid.

    Raises
    ------
    UserError
        The profile has a single seed, the folder holds none of its runs, a file is broken, or a
        run's files contradict each other.
    """
    profile = params.selected(profile_name)
    if len(profile.seeds) < 2:
        raise UserError(
            f"profile {profile_name} has a single seed, from which nothing follows about a "
            "method: name two or more under its seeds, and run them."
        )
    if not results.is_dir():
        raise UserError(f"{results} does not exist: name the folder of the runs, or a bundle.")
    scores = read_scores(profile, results)
    if not any(scores.values()):
        raise UserError(
            f"{results} holds no evaluated run of profile {profile_name}: run it first."
        )
    _check_runs(profile, results, scores)
    compared = {table: compare(params, profile_name, results, published, table) for table in TABLES}
    files = {table: out / f"comparisons/{table}.parquet" for table in TABLES}
    for table, path in files.items():
        write_comparisons(compared[table], path)
    tables = [
        document(table, params, profile_name, results, compared[table], published)
        for table in TABLES
    ]
    for made in tables:
        for suffix, render in FORMATS.items():
            write_text(out / f"{made.name}{suffix}", render(made))
    write_metrics(profile, results, out / "metrics.json")
    write_plots(profile, results, out / "plots")
    write_figures(params, profile_name, results, files[WHOLE], published, out)
    write_answer(compared[WHOLE], out / "verdict.json")
    examples = results / "examples.parquet"
    write_page(
        params,
        profile_name,
        results,
        compared[WHOLE],
        read_titles(params, profile_name, published),
        tables,
        examples if examples.is_file() else None,
        [files_of(name, out)[0] for name in PICTURES],
        out / "index.html",
    )
    return compared[WHOLE]


def _check_runs(profile: Profile, results: Path, scores: Scores) -> None:
    """Refuse runs whose files do not belong together."""
    for run in runs(profile):
        path = run.folder(results) / "run.json"
        record = read_json(path) if path.is_file() else {}
        for key, expected in vars(run).items():
            if record and record.get(key) != expected:
                raise UserError(
                    f"{path} is of {key} {record.get(key)!r}, and lies where {expected!r} belongs: "
                    "put it back, or train the run again."
                )
        for ranking in profile.rankings:
            metrics_path = run.metrics(results, ranking)
            found = scores[Cell(run.dataset, run.method, ranking)]
            if found is None or run.seed not in found.seeds or not metrics_path.is_file():
                continue
            metrics = read_json(metrics_path)
            row = found.seeds.index(run.seed)
            stored = (metrics.get("mAP"), inner(metrics, "cmc").get("1"))
            for name, value in zip(("mAP", "R1"), stored, strict=True):
                own = float(np.nanmean(found.by_query[name][row])) / 100.0
                if not abs(number(value) - own) <= AGREEMENT:
                    raise UserError(
                        f"{metrics_path} says {name} {value} where its queries have {own:.6f}: run "
                        "`topdb evaluate` again."
                    )
            own_digest, stated_digest = (each.get("features_digest") for each in (metrics, record))
            if record and (own_digest is None or own_digest != stated_digest):
                raise UserError(
                    f"{metrics_path} is not of the features that run.json states: run "
                    "`topdb evaluate` again."
                )
