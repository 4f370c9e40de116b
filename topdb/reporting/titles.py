"""How readers call the methods: as the paper prints them, or as their own files do."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from topdb.config import Params, Ranking, declared, method_files
from topdb.reporting.published import owner_of
from topdb.results.runs import MethodRow, read_rows

_AUTHORS = re.compile(r"\s*(\([^()]*\))\s*$")
"""The brackets at the end of a printed row: whose method it is, and of which year."""
_BRIEF = {"no-drop Top-DB-Net": "no-drop", "no-reg Top-DB-Net": "no-reg"}
"""Titles that are too long to stand beside a plot."""
RERANKED = "+RK"


@dataclass(frozen=True)
class Titles:
    """The names of the methods of a profile."""

    rows: tuple[MethodRow, ...] = ()
    methods: tuple[str, ...] = ()
    """Of the profile: no two of them are called the same."""
    folders: tuple[Path, ...] = ()
    """Where methods lie beside the package's own."""

    def of(self, method: str, ranking: Ranking = "plain") -> str:
        """Return what tables and texts call a method, without its authors.

        A method without a printed row goes by the title in its file, or else by its own name.
        """
        title = self._title(method)
        if self._any_row(method) is None:
            others = (self._title(other) for other in self.methods if other != method)
            title = f"{title} ({method})" if title in others else title
        return title + (RERANKED if ranking == "rk" else "")

    def brief(self, method: str, ranking: Ranking = "plain") -> str:
        """Return what figures call a method."""
        title = self.of(method)
        return _BRIEF.get(title, title) + (RERANKED if ranking == "rk" else "")

    def cited(self, method: str, ranking: Ranking = "plain") -> str:
        """Return what Table 2 calls a method: a competitor as the paper prints it.

        A re-ranked row that the paper does not have is called like those that it has.
        """
        title = self.of(method, ranking)
        printed = self._printed(method, ranking) or self._printed(method, "plain")
        if printed is None or owner_of(method, self.rows) == "paper":
            return title
        authors = _AUTHORS.search(printed.row)
        return f"{title} {authors.group(1)}" if authors else title

    def _title(self, method: str) -> str:
        printed = self._any_row(method)
        if printed is None:
            return _declared(method, self.folders)
        title = _AUTHORS.sub("", printed.row)
        return title.removesuffix(RERANKED) if printed.ranking == "rk" else title

    def _any_row(self, method: str) -> MethodRow | None:
        return self._printed(method, "plain") or self._printed(method, "rk")

    def _printed(self, method: str, ranking: Ranking) -> MethodRow | None:
        """Return the method's first row; those of Table 1 come first."""
        own = [row for row in self.rows if (row.method, row.ranking) == (method, ranking)]
        return min(own, key=lambda row: row.table, default=None)


def read_titles(params: Params, profile: str, published: Path) -> Titles:
    """Read the titles of a profile's methods.

    Raises
    ------
    UserError
        The file of the printed rows is missing or broken.
    """
    folders = params.method_folders
    return Titles(read_rows(published, folders), params.selected(profile).methods, folders)


@cache
def _declared(method: str, folders: tuple[Path, ...]) -> str:
    """Return the title that a method's file declares, or the method's name."""
    file = method_files(folders).get(method)
    title = declared(file).title if file else None
    return " ".join((title or "").split()) or method
