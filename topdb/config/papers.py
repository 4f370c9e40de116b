"""The papers of a folder: read, checked, and held to what a profile runs."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from topdb.config.base import (
    dropped_in,
    nearest,
    require_known,
)
from topdb.config.file import Params, validated
from topdb.config.paper import (
    CLAIMS,
    EVERYWHERE,
    FILE,
    ODDITIES,
    PAPERS,
    PLACE,
    TAKEN,
    Claim,
    Paper,
    PaperFile,
    PrintedRow,
    PrintedTable,
    PrintedValue,
    Remark,
)
from topdb.config.profile import Profile
from topdb.config.yaml_file import read_yaml
from topdb.errors import UserError
from topdb.limits import lines_of


def read_papers(params: Params, root: Path = PAPERS) -> tuple[Paper, ...]:
    """Read the papers that the parameters list, from folders below `root`; the main one first.

    Raises
    ------
    UserError
        A folder or file is missing or broken, or names a method, ranking, metric, data set, row or
        claim that there is not; the message names the file and the key.
    """
    for name in params.papers[1:]:
        if name in TAKEN:
            raise UserError(
                f"papers: a paper may not be called '{name}'; reports have that name, so rename "
                "its folder."
            )
    there = sorted(path.parent.name for path in root.glob(f"*/{FILE}"))
    for name in params.papers:
        if there and name not in there:
            raise UserError(
                f"papers: there is no paper '{name}' in {root}{nearest(name, there)}: name one of "
                f"{', '.join(there)}, or the folder above it with --papers."
            )
    papers = tuple(read_paper(root / name, params.method_folders) for name in params.papers)
    for paper in papers:
        _require_names(params, paper)
    return papers


def _require_names(params: Params, paper: Paper) -> None:
    """Look up what a paper names of the parameters, in all profiles and layouts."""
    datasets = [*dict.fromkeys([*params.datasets(), *dropped_in("datasets/layouts")])]
    try:
        for name, table in paper.tables.items():
            for dataset in table.columns.datasets:
                require_known(f"tables.{name}.columns.datasets", "data set", dataset, datasets)
        if reference := paper.file.reference_method:
            require_known("reference_method", "method", reference, params.methods())
    except ValueError as error:
        raise UserError(f"{paper.folder / FILE}: {error}.") from None


def read_paper(folder: Path, method_folders: Sequence[Path] = ()) -> Paper:
    """Read a paper's folder; `method_folders` hold methods besides the package's own.

    Raises
    ------
    UserError
        As `read_papers` does.
    """
    path = folder / FILE
    remedy = "name it under papers in params.yaml, or the folder above it with --papers"
    file = validated(PaperFile, path, read_yaml(path, remedy), method_folders)
    rows = {name: _rows(folder / f"{name}.csv", name, file) for name in file.tables}
    claims = _claims(folder / CLAIMS, file, method_folders)
    ids = [claim.id for claim in claims]
    for family, listed in file.families.items():
        for claim in listed:
            _require_known(f"{path}: the family '{family}'", "claim", claim, ids)
    _require_one_value(folder, rows)
    return Paper(folder.name, folder, file, rows, claims, _remarks(folder / ODDITIES, file))


def chosen_paper(papers: Sequence[Paper], name: str | None = None) -> Paper:
    """Return the paper of a name, or the main one.

    Raises
    ------
    UserError
        There is no such paper, or none at all.
    """
    known = [paper.name for paper in papers]
    if not papers:
        raise UserError("params.yaml lists no papers: name a folder below papers/ under its key.")
    if name not in (None, *known):
        raise UserError(
            f"there is no paper '{name}' in params.yaml{nearest(str(name), known)}: name one of "
            f"{', '.join(known)}."
        )
    return papers[known.index(name)] if name else papers[0]


def concerning(profile: Profile, papers: Sequence[Paper]) -> tuple[Paper, ...]:
    """Return the main paper, and those others that have a row of a method of the profile."""
    return tuple(
        paper for paper in papers if paper is papers[0] or any(map(paper.has_row, profile.methods))
    )


def measured(profile: Profile, papers: Sequence[Paper], paper: Paper, table: str) -> Profile:
    """Return the profile with just the methods that a table of a paper measures.

    A table that measures its rows leaves out the methods that have rows in other tables alone, of
    any paper. Where none of its own is in the profile, it measures all of them too.

    Raises
    ------
    UserError
        The paper has no such table.
    """
    printed = paper.table(table)
    own = printed.methods()
    if printed.measures == "all" or not own & {*profile.methods}:
        return profile
    methods = [
        method
        for method in profile.methods
        if method in own or not any(each.has_row(method) for each in papers)
    ]
    return profile.model_copy(update={"methods": tuple(methods)})


def _lines(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file that has some columns; no row may have others than its header."""
    try:
        reader = csv.DictReader(lines_of(path))
        header = reader.fieldnames or ()
        lines = list(reader)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: {FILE} beside it has a table of it.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no readable CSV ({error}): restore the file.") from None
    for column in columns:
        if column not in header:
            raise UserError(f"{path} lacks the column '{column}': restore the file.")
    for line in lines:
        if None in line or None in line.values():
            raise UserError(
                f"{path}: the row '{line[columns[0]]}' has other columns than the header: "
                "correct it."
            )
    return lines


def _rows(path: Path, name: str, file: PaperFile) -> tuple[PrintedRow, ...]:
    table = file.tables[name]
    lines = _lines(path, ["method"])
    wanted = [f"{d}_{m}" for d in table.columns.datasets for m in table.columns.metrics]
    known = ["method", *wanted, *(column + PLACE for column in wanted)]
    for column in lines[0] if lines else ():
        if column not in known:
            raise UserError(
                f"{path}: unknown column '{column}'{nearest(column, known)}: {FILE} has the "
                "table's columns."
            )
    printed = {line["method"]: line for line in lines}
    named = [row for block in table.blocks for row in block.rows]
    for row in [*named, *printed]:
        if row not in printed:
            raise UserError(
                f"{path} has no row '{row}'{nearest(row, [*printed])}, which {FILE} names in "
                f"tables.{name}: name one that it has."
            )
        if row not in named:
            raise UserError(
                f"{path} has the row '{row}', which is in no block of tables.{name} in {FILE}: "
                "add it there, as null where it is of no method here."
            )
    if len(printed) < len(lines):
        raise UserError(f"{path} has the same row twice: keep one.")
    return tuple(
        PrintedRow(row, method, block.ranking, _values(path, printed[row], table))
        for block in table.blocks
        for row, method in block.rows.items()
    )


def _values(
    path: Path, line: Mapping[str, str], table: PrintedTable
) -> dict[tuple[str, str], PrintedValue]:
    found = {}
    for dataset in table.columns.datasets:
        for metric in table.columns.metrics:
            column = f"{dataset}_{metric}"
            text, place = line.get(column), line.get(column + PLACE)
            if not text:
                continue
            try:
                value, printed = float(text), int(place) if place else None
            except ValueError:
                value, printed = -1.0, None
            if not 0.0 <= value <= 100.0:
                raise UserError(
                    f"{path}: '{text}' in column {column} is no percentage: correct it."
                )
            found[dataset, metric] = PrintedValue(value, printed)
    return found


def _require_one_value(folder: Path, tables: Mapping[str, Sequence[PrintedRow]]) -> None:
    """Refuse tables that print different values for one cell."""
    known: dict[tuple[str | None, ...], tuple[float, str]] = {}
    for table, rows in tables.items():
        for row in rows:
            for (dataset, metric), cell in row.values.items():
                if row.method is None:
                    continue
                key = (dataset, row.method, row.ranking, metric)
                value, other = known.setdefault(key, (cell.value, table))
                if value != cell.value:
                    raise UserError(
                        f"{folder / table}.csv: {row.name} has {cell.value} in {dataset}_{metric} "
                        f"where {other} has {value}: correct the wrong one."
                    )


def _claims(path: Path, file: PaperFile, method_folders: Sequence[Path]) -> tuple[Claim, ...]:
    if not path.is_file():
        return ()
    found: dict[str, Claim] = {}
    for line in _lines(path, list(Claim.model_fields)):
        named = () if line["datasets"] == EVERYWHERE else tuple(line["datasets"].split())
        origin = f"{path}: the claim '{line['id'] or '?'}'"
        claim = validated(Claim, origin, {**line, "datasets": named}, method_folders)
        if not named and line["datasets"] != EVERYWHERE:
            raise UserError(f"{origin} has no data sets: name some, or '{EVERYWHERE}'.")
        if twice := [each for each in named if named.count(each) > 1]:
            raise UserError(f"{origin} has the data set {twice[0]} twice: name each once.")
        if EVERYWHERE in named:
            raise UserError(f"{origin} has '{EVERYWHERE}' among its data sets: name it alone.")
        for dataset in claim.datasets:
            _require_known(origin, "dataset", dataset, [EVERYWHERE, *file.datasets()])
        if claim.id in found:
            raise UserError(f"{path} has two claims '{claim.id}': give each an id of its own.")
        found[claim.id] = claim
    return tuple(found.values())


def _require_known(origin: str, column: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise UserError(
            f"{origin} has the {column} '{value}'{nearest(value, known)}: name one of "
            f"{', '.join(known)}."
        )


def _remarks(path: Path, file: PaperFile) -> tuple[Remark, ...]:
    if not path.is_file():
        return ()
    lines = _lines(path, ["table", "dataset", "remark"])
    for line in lines:
        _require_known(f"{path}: a remark", "table", line["table"], [*file.tables])
        known = [EVERYWHERE, *file.datasets()]
        _require_known(f"{path}: a remark", "dataset", line["dataset"], known)
    return tuple(Remark(line["table"], line["dataset"], line["remark"]) for line in lines)
