"""Two models of one's own, or more, compared in three lines.

from topdb.models import compare
found = compare(["a/", "b/"])
print(found.sentence)
"""

from collections.abc import Sequence
from pathlib import Path

from topdb.errors import UserError
from topdb.evidence.matching import match
from topdb.evidence.own_models import Compared, compare_models
from topdb.runs.models import Scoring, read_models

QUANTITIES = ("mAP", "R1", "mINP")


def compare(
    models: Sequence[Path | str],
    *,
    quantities: Sequence[str] = QUANTITIES,
    scoring: Scoring | None = None,
    other_rules: bool = False,
    seed: int = 0,
) -> Compared:
    """Compare models by what they rank.

    Parameters
    ----------
    models : for each a features file, or a folder of them, one a seed, or of scores
    quantities : metrics; the first decides on the order and the answer
    scoring : how features are scored; default: plain, Euclidean, all threads
    other_rules : whether models may have been scored by different rules
    seed : of the bootstrap

    Returns
    -------
    `Compared`: `sentence`, `models` and `pairs` (a line each and metric, in percent), `queries`.
    `topdb.reporting.own_models.write_compared` writes it.

    Raises
    ------
    UserError
        A model cannot be read, or two are not of the same queries, people, gallery or rules.
    """
    if not models:
        raise UserError("no model is named: name two features files, or two folders.")
    read = list(read_models([Path(each) for each in models], scoring or Scoring()))
    return compare_models(match(read, quantities, other_rules=other_rules), quantities, seed=seed)
