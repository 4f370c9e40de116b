"""Which method takes which look: the same in every figure and on the page."""

from collections.abc import Sequence

KNOWN = (
    "baseline",
    "no-drop",
    "no-reg",
    "top-db-net",
    "bot",
    "osnet",
    "mgn",
    "pyramid",
    "pyrnet",
    "abd-net",
    "mhn",
)
"""Methods that look the same whichever others are there."""


def turns(methods: Sequence[str], looks: int) -> dict[str, int]:
    """Return the number of each method's look, of so many.

    Those that are not known take what the known ones leave over, in turn.
    """
    others = [method for method in methods if method not in KNOWN]
    left = looks - len(KNOWN)
    found = {method: turn for turn, method in enumerate(KNOWN) if method in methods}
    found |= {method: len(KNOWN) + turn % left for turn, method in enumerate(others)}
    return {method: found[method] for method in methods}
