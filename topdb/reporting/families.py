"""What is told of a table's differences: their tests, and what so few seeds cannot show."""

from collections.abc import Iterator, Sequence

from topdb.reporting.documents import Text
from topdb.results.comparisons import Difference
from topdb.statistics import smallest_possible_p

MOST_SEEDS = 100
"""Of a method, that a note asks for."""


def legend(differences: Sequence[Difference], floors: Sequence[Text]) -> str:
    """Return what a table of differences says of its intervals and p values."""
    tests = "; ".join(sorted({each.test for each in differences}))
    adjusted = "Holm over all comparisons of the same ranking."
    return (
        "Percentage points. Interval: pigeonhole bootstrap over people and seeds, its spread "
        f"calibrated for few seeds. p: {tests}. "
        f"{adjusted if len(floors) < len({each.ranking for each in differences}) else ''}"
    ).rstrip()


def floor(family: Sequence[Difference], size: int, alpha: float) -> Iterator[Text]:
    """Say where no p of a ranking's family, of so many comparisons, can show anything.

    Holm multiplies the smallest p by their number, and a permutation test of few seeds has a
    smallest p.
    """
    if not family:
        return
    clearest = min(family, key=lambda each: each.smallest_possible_p)
    best = min(1.0, size * clearest.smallest_possible_p)
    if best <= alpha:
        return
    had = max(clearest.seeds, clearest.reference_seeds, 1)
    enough = (n for n in range(had, MOST_SEEDS + 1) if size * smallest_possible_p(n, n) <= alpha)
    wanted = next(enough, None)
    more = f"; {wanted} + {wanted} seeds could bring it to {alpha:g}" if wanted else ""
    yield (
        f"With {clearest.seeds} + {clearest.reference_seeds} seeds no p of the {size} comparisons "
        f"({family[0].ranking}) can fall below {best:.2f} after Holm, so that p (Holm) says "
        f"nothing here{more}. An interval that contains 0 is no evidence of equality.",
    )
