"""The files of `topdb compare` that a report is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from topdb.config import Params
from topdb.errors import UserError
from topdb.reporting.comparisons import Comparisons, read_comparisons
from topdb.results.runs import WHOLE, read_rows, table_methods


@dataclass(frozen=True)
class Compared:
    """Comparisons by the table that they are of."""

    params: Params
    profile_name: str
    published: Path
    paths: Sequence[Path]

    def of(self, table: str) -> Comparisons:
        """Return a table's comparisons; those of the whole grid where it measures all of it.

        Raises
        ------
        UserError
            None of the files is of the table, or one is broken.
        """
        own = self._files.get(table) or (self._measures_all(table) and self._files.get(WHOLE))
        if not own:
            raise UserError(
                f"--comparisons names no comparisons of {table}: name the file of `topdb compare "
                f"--table {table}`."
            )
        return own

    @cached_property
    def _files(self) -> dict[str, Comparisons]:
        found = [read_comparisons(path, self.profile_name) for path in self.paths]
        return {each.table: each for each in found}

    def _measures_all(self, table: str) -> bool:
        profile = self.params.selected(self.profile_name)
        rows = read_rows(self.published, self.params.method_folders)
        return table_methods(profile, table, rows) == profile.methods
