"""Every table, verdict, figure and the page again from the runs' stored files alone."""

from collections.abc import Sequence
from pathlib import Path

from topdb.config import Params, rebuilt_methods
from topdb.config.paper import Paper
from topdb.config.papers import chosen_paper, concerning
from topdb.errors import UserError
from topdb.evidence.answer import write_answer
from topdb.evidence.comparing import compare, of_paper
from topdb.files import write_text
from topdb.reporting.cross_domain import NAME as CROSS_DOMAIN
from topdb.reporting.cross_domain import cross_domain_document
from topdb.reporting.documents import Document
from topdb.reporting.evidence import Evidence
from topdb.reporting.figures import (
    figure_names,
    files_of,
    plot_names,
    undrawable_names,
    write_figures,
)
from topdb.reporting.page.writing import write_page
from topdb.reporting.rendering import FORMATS, render
from topdb.reporting.reports import write_metrics, write_plots
from topdb.reporting.tables import table_document
from topdb.results.comparisons import Comparisons, write_comparisons
from topdb.results.scores import read_scores


def recompute(
    params: Params, profile_name: str, results: Path, papers: Sequence[Paper], out: Path
) -> Comparisons:
    """Judge the stored runs again; write everything that `reports/` has and can be drawn here.

    Returns the comparisons of the main paper.

    Raises
    ------
    UserError
        The profile has a single seed, the folder holds none of its runs, a file is broken, or a
        run's files contradict each other.
    """
    profile = params.selected(profile_name)
    main = chosen_paper(papers)
    if len(profile.seeds) < 2:
        raise UserError(
            f"profile {profile_name} has a single seed, from which nothing follows about a "
            "method: name two or more under its seeds, and run them."
        )
    if not results.is_dir():
        raise UserError(f"{results} does not exist: name the folder of the runs, or a bundle.")
    scores = read_scores(profile, results, params.metrics)
    if not any(scores.values()):
        raise UserError(
            f"{results} holds no evaluated run of profile {profile_name}: run it first."
        )
    made = {
        paper.name: _tables(params, profile_name, results, papers, paper, out)
        for paper in concerning(profile, papers)
    }
    if profile.crossings:
        crossed = cross_domain_document(params, profile_name, results, papers, main)
        for suffix in FORMATS:
            write_text(out / f"{CROSS_DOMAIN}{suffix}", render(crossed, suffix))
    whole, tables = made[main.name]
    write_metrics(params, profile_name, results, out / "metrics")
    write_plots(params, profile_name, results, out / "plots")
    evidence = Evidence(params, profile_name, results, tuple(papers), whole)
    write_figures(evidence, out)
    left_out = {*plot_names(), *undrawable_names()}
    sheets = [name for name in figure_names() if name not in left_out]
    examples = results / "examples.parquet"
    write_page(
        evidence,
        tables,
        examples if examples.is_file() else None,
        [files_of(name, out)[0] for name in sheets],
        out / "index.html",
    )
    return whole


def _tables(
    params: Params,
    profile_name: str,
    results: Path,
    papers: Sequence[Paper],
    paper: Paper,
    out: Path,
) -> tuple[Comparisons, list[Document]]:
    """Write a paper's tables, their comparisons and its verdicts; those of the main one on top."""
    inner = "" if paper is papers[0] else paper.name
    found, documents = [], []
    for table in paper.tables:
        compared = compare(params, profile_name, results, papers, paper, table)
        write_comparisons(compared, out / "comparisons" / inner / f"{table}.parquet")
        made = table_document(params, profile_name, results, papers, paper, table, compared)
        for suffix in FORMATS:
            write_text(out / inner / f"{table}{suffix}", render(made, suffix))
        found.append(compared)
        documents.append(made)
    whole = of_paper(found, paper)
    rebuilt = rebuilt_methods(params.selected(profile_name).methods, params.method_folders)
    write_answer(whole, out / inner / "verdict.json", rebuilt)
    return whole, documents
