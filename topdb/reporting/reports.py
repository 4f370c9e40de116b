"""The reports by name: a table of a paper, its verdicts, numbers for DVC, and the page."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from topdb.config import Params, Ranking, rebuilt_methods
from topdb.config.paper import PAPERS
from topdb.config.papers import chosen_paper, read_papers
from topdb.errors import UserError
from topdb.evidence.answer import write_answer
from topdb.evidence.comparing import of_paper, of_table, read_compared
from topdb.evidence.grounds import find_grounds
from topdb.files import write_csv, write_json, write_text
from topdb.reporting.cross_domain import NAME as CROSS_DOMAIN
from topdb.reporting.cross_domain import cross_domain_document
from topdb.reporting.documents import Document
from topdb.reporting.rendering import FORMATS, render
from topdb.reporting.tables import table_document
from topdb.results.scores import read_scores
from topdb.results.stored import stored_runs
from topdb.statistics import headline


def write_report(
    what: str,
    params: Params,
    profile_name: str,
    results: Path,
    comparisons: Sequence[Path],
    out: Sequence[Path],
    examples: Path | None = None,
    figures: Sequence[Path] = (),
    root: Path = PAPERS,
    paper_name: str | None = None,
) -> None:
    """Write one report; a table in the format that each name of `out` ends in.

    `comparisons` are files of `topdb judge`: of the wanted table, and for verdict and page of
    each table of the paper. `examples` and `figures` are shown on the page, if there are any.

    Raises
    ------
    UserError
        There is no such report or format, or a file that it needs is missing or broken.
    """
    data = {"metrics": write_metrics, "plots": write_plots}
    if what in ("verdict", "page", *data) and len(out) != 1:
        raise UserError(f"{what} is written to one place: give --out once.")
    if what in data:
        data[what](params, profile_name, results, out[0])
        return
    papers = read_papers(params, root)
    paper = chosen_paper(papers, paper_name)
    known = [*paper.tables, "verdict", *data, "page", CROSS_DOMAIN]
    if what not in known:
        raise UserError(f"there is no report '{what}': name {', '.join(known)}.")
    if what == CROSS_DOMAIN:
        made = cross_domain_document(params, profile_name, results, papers, paper)
        _write_table(made, out)
        return
    if not comparisons:
        raise UserError(f"{what} needs --comparisons: the file that `topdb judge` wrote.")
    found = read_compared(comparisons, profile_name)
    if what == "verdict":
        methods = params.selected(profile_name).methods
        rebuilt = rebuilt_methods(methods, params.method_folders)
        write_answer(of_paper(found, paper), out[0], rebuilt)
        return
    if what != "page":
        _require_formats(out)
    wanted = [*paper.tables] if what == "page" else [what]
    settings = (params, profile_name, papers, paper)
    documents = [
        table_document(
            params, profile_name, results, papers, paper, each, of_table(found, *settings, each)
        )
        for each in wanted
    ]
    if what == "page":
        # Altair takes a while to import, which no table needs to wait for.
        from topdb.reporting.evidence import Evidence
        from topdb.reporting.page.writing import write_page

        ordered = (paper, *(each for each in papers if each is not paper))
        whole = of_paper(found, paper)
        evidence = Evidence(params, profile_name, results, ordered, whole)
        write_page(evidence, documents, examples, figures, out[0])
        return
    _write_table(documents[0], out)


def _require_formats(out: Sequence[Path]) -> None:
    for path in out:
        if path.suffix not in FORMATS:
            raise UserError(f"{path} has no format: end its name in {', '.join(FORMATS)}.")


def _write_table(made: Document, out: Sequence[Path]) -> None:
    _require_formats(out)
    for path in out:
        write_text(path, render(made, path.suffix))


def write_metrics(params: Params, profile_name: str, results: Path, folder: Path) -> None:
    """Write each cell's numbers into `<ranking>/<data set>/<method>.json` below a folder.

    One file a cell, since DVC prints a row a file: mean and deviation of each metric, in percent
    with two decimals so that the row fits a screen, and the number of seeds; `drawn` where data
    are. A cell of which a run collapsed has no mean, and says how many did. Files of cells that
    the profile has no more are removed.
    """
    profile = params.selected(profile_name)
    rendered = find_grounds(profile, results, params.method_folders).rendered
    written = set()
    for cell, scores in read_scores(profile, results, params.metrics).items():
        if scores is None:
            continue
        entry: dict[str, float | int] = {}
        for name in () if scores.unsound else params.metrics:
            found = headline(scores.by_seed(name))
            entry[name] = round(found.mean, 2)
            if not math.isnan(found.sd):
                entry[f"{name}_sd"] = round(found.sd, 2)
        entry["seeds"] = len(scores.seeds)
        if scores.collapsed:
            entry["collapsed"] = len(scores.collapsed)
        if rendered:
            entry["drawn"] = True
        path = folder / cell.ranking / cell.dataset / f"{cell.method}.json"
        write_json(path, entry)
        written.add(path)
    for ranking in get_args(Ranking):
        for path in (folder / ranking).glob("*/*.json"):
            if path not in written:
                path.unlink()


def write_plots(params: Params, profile_name: str, results: Path, folder: Path) -> None:
    """Write `seeds.csv`, one row a run and ranking, and `training.csv`, one row a run and epoch."""
    profile = params.selected(profile_name)
    seeds, training = [], []
    for stored in stored_runs(profile, results):
        name = vars(stored.run)
        for ranking in profile.rankings:
            summary = stored.summary(ranking)
            if summary is None:
                continue
            lacking = [each for each in params.metrics if each not in summary.metrics]
            if lacking:
                file = stored.files.metrics(ranking)
                raise UserError(f"{file} lacks {lacking[0]}: run `topdb evaluate` again.")
            scores = {each: 100 * summary.metrics[each] for each in params.metrics}
            seeds.append({**name, "ranking": ranking, **scores})
        for row in stored.history(("epoch", "learning_rate", "loss")):
            training.append({**name, **row, "epoch": int(row["epoch"])})
    keys = ["dataset", "method", "seed"]
    write_csv(folder / "seeds.csv", [*keys, "ranking", *params.metrics], seeds)
    write_csv(folder / "training.csv", [*keys, "epoch", "learning_rate", "loss"], training)
