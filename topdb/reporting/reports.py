"""The reports by name."""

from collections.abc import Sequence
from pathlib import Path

from topdb.config import Params
from topdb.errors import UserError
from topdb.files import write_text
from topdb.reporting.answer import write_answer
from topdb.reporting.compared import Compared
from topdb.reporting.comparisons import Comparisons
from topdb.reporting.documents import Document
from topdb.reporting.latex import render_latex
from topdb.reporting.markdown import render_markdown
from topdb.reporting.metrics import write_metrics, write_plots
from topdb.reporting.published import read_oddities, read_published
from topdb.reporting.tables import Frame, table1, table2
from topdb.reporting.tidy import render_csv
from topdb.reporting.titles import read_titles
from topdb.results.runs import WHOLE, of_table

DOCUMENTS = {"table1": table1, "table2": table2}
FORMATS = {".md": render_markdown, ".csv": render_csv, ".tex": render_latex}
VERDICT = "verdict"
PAGE = "page"
_DATA = {"metrics": write_metrics, "plots": write_plots}


def write_report(
    what: str,
    params: Params,
    profile: str,
    results: Path,
    comparisons: Sequence[Path],
    published: Path,
    out: Sequence[Path],
    examples: Path | None = None,
    figures: Sequence[Path] = (),
) -> None:
    """Write one report; a table in the format that each name of `out` ends in.

    `comparisons` are files of `topdb compare`: of the wanted table, and for the page of both.
    `examples` and `figures` are shown on the page, if there are any.

    Raises
    ------
    UserError
        There is no such report or format, or a file that it needs is missing or broken.
    """
    known = [*DOCUMENTS, VERDICT, *_DATA, PAGE]
    if what not in known:
        raise UserError(f"there is no report '{what}': name {', '.join(known)}.")
    if what not in DOCUMENTS and len(out) != 1:
        raise UserError(f"{what} is written to one place: give --out once.")
    if what in _DATA:
        _DATA[what](params.selected(profile), results, out[0])
        return
    if not comparisons:
        raise UserError(f"{what} needs --comparisons: the file that `topdb compare` wrote.")
    given = Compared(params, profile, published, comparisons)
    if what == VERDICT:
        write_answer(given.of(WHOLE), out[0])
    elif what == PAGE:
        from topdb.reporting.page.writing import write_page  # altair takes a while to import

        tables = [
            document(name, params, profile, results, given.of(name), published)
            for name in DOCUMENTS
        ]
        titles = read_titles(params, profile, published)
        whole = given.of(WHOLE)
        write_page(params, profile, results, whole, titles, tables, examples, figures, out[0])
    else:
        write_table(what, params, profile, results, given.of(what), published, out)


def write_table(
    what: str,
    params: Params,
    profile: str,
    results: Path,
    comparisons: Comparisons,
    published: Path,
    out: Sequence[Path],
) -> None:
    """Write `table1` or `table2` in the format that each name of `out` ends in.

    Raises
    ------
    UserError
        A name ends in no known format, or a file that the table needs is missing or broken.
    """
    for path in out:
        if path.suffix not in FORMATS:
            raise UserError(f"{path} has no format: end its name in {', '.join(FORMATS)}.")
    found = document(what, params, profile, results, comparisons, published)
    for path in out:
        write_text(path, FORMATS[path.suffix](found))


def document(
    what: str,
    params: Params,
    profile: str,
    results: Path,
    comparisons: Comparisons,
    published: Path,
) -> Document:
    """Return `table1` or `table2`, in no format yet.

    Raises
    ------
    UserError
        A file that the table needs is missing or broken.
    """
    printed = read_published(published / f"{what}.csv")
    titles = read_titles(params, profile, published)
    frame = Frame(
        name=what,
        profile_name=profile,
        profile=of_table(params.selected(profile), what, titles.rows),
        settings=params.statistics_of(profile),
        results=results,
        comparisons=comparisons,
        titles=titles,
    )
    remarks = read_oddities(published / "oddities.csv", what, frame.profile.datasets)
    return DOCUMENTS[what](frame, printed, remarks)
