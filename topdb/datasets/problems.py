"""All that is wrong with a data set's files, told at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from topdb.datasets.records import TOLD
from topdb.errors import UserError


class Problems:
    """Collects what is wrong with files, one after another.

    Whoever mends a data set of 100,000 images by its messages would otherwise start a pass over all
    of them for each broken one.
    """

    def __init__(self) -> None:
        self._found: list[str] = []

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._found)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep a `UserError` of what follows for later."""
        try:
            yield
        except UserError as error:
            self._found.append(str(error).removesuffix("."))

    def require_none(self) -> None:
        """Raise one `UserError`: the first ten in full, and how many there are."""
        if not self._found:
            return
        if len(self._found) == 1:
            raise UserError(f"{self._found[0]}.")
        parts = [each.rpartition(": ") for each in self._found]
        remedies = {remedy for _, _, remedy in parts}
        same = len(remedies) == 1
        shown = [what for what, _, _ in parts] if same else self._found
        listed = "; ".join(shown[:TOLD])
        more = len(shown) - TOLD
        listed += f"; and {more:,} more" if more > 0 else ""
        after = f": {remedies.pop()} (each of them)" if same else ""
        raise UserError(f"{len(shown):,} files are wrong: {listed}{after}.")
