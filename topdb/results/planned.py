"""`planned.json`: the seeds that a grid had when it was first planned.

Whoever adds seeds until a verdict comes has many chances of a false one. The file lies beside the
runs and is never written again, so that a verdict on more seeds can say so and be given at a level
that is kept (topdb/evidence/looks.py).
"""

from collections.abc import Sequence
from pathlib import Path

from topdb.errors import UserError
from topdb.results.seals import read_sealed_json, write_sealed_json

PLANNED = "planned.json"


def record_planned(results: Path, seeds: Sequence[int]) -> None:
    """Write the seeds of a grid that has no such record yet."""
    path = results / PLANNED
    if not path.exists():
        write_sealed_json(path, {"seeds": list(seeds)})


def read_planned(results: Path) -> tuple[int, ...] | None:
    """Return the seeds that were first planned; None where nobody recorded them.

    Raises
    ------
    UserError
        The file is broken or was changed.
    """
    path = results / PLANNED
    if not path.is_file():
        return None
    remedy = (
        'write those that were first planned, as {"seeds": [1, 2, 3]}, or run a new study with new '
        "seeds."
    )
    seeds = read_sealed_json(path, None, remedy).get("seeds")
    if not isinstance(seeds, list) or not seeds or not all(type(each) is int for each in seeds):
        raise UserError(f"{path} lists no seeds: {remedy}")
    return tuple(seeds)
