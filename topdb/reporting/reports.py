"""The reports by name."""

from pathlib import Path

from topdb.errors import UserError
from topdb.files import write_text
from topdb.params import Params
from topdb.reporting.comparisons import read_comparisons
from topdb.reporting.metrics import write_metrics, write_plots
from topdb.reporting.published import read_oddities, read_published
from topdb.reporting.tables import table1, table2

_TABLES = {"table1": table1, "table2": table2}
_DATA = {"metrics": write_metrics, "plots": write_plots}


def write_report(
    what: str,
    params: Params,
    profile: str,
    results: Path,
    comparisons: Path | None,
    published: Path,
    out: Path,
) -> None:
    """Write one report.

    Raises
    ------
    UserError
        There is no such report, or a file that it needs is missing or broken.
    """
    if what in _DATA:
        _DATA[what](params.selected(profile), results, out)
        return
    if what not in _TABLES:
        raise UserError(f"there is no report '{what}': name {', '.join([*_TABLES, *_DATA])}.")
    if comparisons is None:
        raise UserError(f"{what} needs --comparisons: the file that `topdb compare` wrote.")
    rows = read_published(published / f"{what}.csv")
    datasets = params.selected(profile).datasets
    oddities = read_oddities(published / "oddities.csv", what, datasets)
    compared = list(read_comparisons(comparisons, profile).differences)
    text = _TABLES[what](params, profile, results, rows, oddities, compared)
    write_text(out, text)
