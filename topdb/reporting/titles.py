"""How readers call the methods: as a paper has them, or as their own files do."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from topdb.config import Params, Ranking, declared, method_files, rebuilt_methods
from topdb.config.paper import Paper, PaperMethod

RERANKED = "+RK"
STYLE = "-style"
"""In the title of every rebuilt method, so that none passes for the original."""


@dataclass(frozen=True)
class Titles:
    """The names of the methods of a profile."""

    papers: tuple[Paper, ...] = ()
    """The first that has a row of a method says what it is called."""
    methods: tuple[str, ...] = ()
    """Of the profile: no two of them are called the same."""
    folders: tuple[Path, ...] = ()
    """Where methods lie beside the package's own."""

    def of(self, method: str, ranking: Ranking = "plain") -> str:
        """Return what tables and texts call a method, without its authors.

        A method without a printed row goes by the title in its file, or else by its own name.
        """
        title = self._title(method)
        if self._stated(method) is None:
            others = (self._title(other) for other in self.methods if other != method)
            title = f"{title} ({method})" if title in others else title
        return title + (RERANKED if ranking == "rk" else "")

    def brief(self, method: str, ranking: Ranking = "plain") -> str:
        """Return what figures call a method."""
        stated = self._stated(method)
        title = stated.brief if stated and stated.brief else self.of(method)
        return self._marked(method, title) + (RERANKED if ranking == "rk" else "")

    def cited(self, method: str, ranking: Ranking = "plain") -> str:
        """Return what tables call a method: a competitor with its authors."""
        stated = self._stated(method)
        authors = f" ({stated.authors})" if stated and stated.authors else ""
        return self.of(method, ranking) + authors

    def _title(self, method: str) -> str:
        stated = self._stated(method)
        title = stated.title if stated and stated.title else _declared(method, self.folders)
        return self._marked(method, title)

    def _marked(self, method: str, title: str) -> str:
        rebuilt = rebuilt_methods((method,), self.folders)
        return title + STYLE if rebuilt and STYLE not in title else title

    def _stated(self, method: str) -> PaperMethod | None:
        for paper in self.papers:
            if method in paper.file.methods:
                return paper.file.methods[method]
        return None


def titles_of(
    params: Params, profile: str, papers: Sequence[Paper], paper: Paper | None = None
) -> Titles:
    """Return the titles of a profile's methods, in the words of one paper before the others'."""
    ordered = sorted(papers, key=lambda each: each is not paper)
    return Titles(tuple(ordered), params.selected(profile).methods, params.method_folders)


@cache
def _declared(method: str, folders: tuple[Path, ...]) -> str:
    """Return the title that a method's file declares, or the method's name."""
    file = method_files(folders).get(method)
    title = declared(file).title if file else None
    return " ".join((title or "").split()) or method
