"""The paper's claims: `reports/published/claims.csv`, one row an ordering of two methods."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import get_args

from topdb.config import Profile, Ranking, StatisticsSettings, method_files
from topdb.errors import UserError
from topdb.reporting.scores import QUANTITIES

EVERYWHERE = "all"


@dataclass(frozen=True)
class Claim:
    """The better method has more of a quantity than the worse one, on each of its data sets."""

    id: str
    title: str
    """The claim in words, without its data sets."""
    better_method: str
    better_ranking: Ranking
    worse_method: str
    worse_ranking: Ranking
    quantity: str
    """`mAP` or `R1`."""
    datasets: tuple[str, ...]
    """Names of data sets; empty for all that a profile has."""
    source: str
    """Where the paper says so."""

    @property
    def methods(self) -> tuple[str, str]:
        """Return both methods, the better one first."""
        return self.better_method, self.worse_method

    @property
    def paired(self) -> bool:
        """Whether both sides are the same trained networks, ranked in two ways."""
        return self.better_method == self.worse_method

    def on(self, profile: Profile) -> tuple[str, ...]:
        """Return the claim's data sets, as the profile has them."""
        return self.datasets or tuple(profile.datasets)


def read_claims(path: Path, method_folders: Sequence[Path] = ()) -> list[Claim]:
    """Read the claims; `method_folders` hold methods besides the package's own.

    Raises
    ------
    UserError
        The file is missing, lacks a column, names a claim twice or a claim without an id, or
        names a method, ranking or quantity that there is not.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: name the folder with --published.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no readable CSV ({error}): restore the file.") from None
    known = [*method_files(method_folders)]
    claims = [_claim(path, row, known) for row in rows]
    ids = [claim.id for claim in claims]
    for claim in ids:
        if ids.count(claim) > 1:
            raise UserError(f"{path} has two claims '{claim}': give each an id of its own.")
    return claims


def families(settings: StatisticsSettings, claims: Sequence[Claim]) -> dict[str, str]:
    """Return the name of each claim's family by its id.

    Raises
    ------
    UserError
        A family of `statistics.families` names an unknown claim.
    """
    found = {claim.id: "all others" for claim in claims}
    for family, listed in settings.families.items():
        for claim in listed:
            if claim not in found:
                raise UserError(
                    f"statistics.families: '{family}' names the claim '{claim}', which is not one "
                    f"of claims.csv: name {', '.join(found)}."
                )
            found[claim] = family
    return found


def _claim(path: Path, row: dict[str, str | None], methods: list[str]) -> Claim:
    text: dict[str, str] = {}
    for field in fields(Claim):
        value = row.get(field.name)
        if not value:
            raise UserError(
                f"{path}: the claim '{row.get('id') or '?'}' has no {field.name}: fill in the "
                "column."
            )
        text[field.name] = value
    for key, known in (
        ("better_method", methods),
        ("worse_method", methods),
        ("better_ranking", list(get_args(Ranking))),
        ("worse_ranking", list(get_args(Ranking))),
        ("quantity", list(QUANTITIES)),
    ):
        if text[key] not in known:
            raise UserError(
                f"{path}: the claim '{text['id']}' has {key} '{text[key]}': name one of "
                f"{', '.join(known)}."
            )
    if (text["better_method"], text["better_ranking"]) == (
        text["worse_method"],
        text["worse_ranking"],
    ):
        raise UserError(f"{path}: the claim '{text['id']}' compares a method with itself: mend it.")
    return Claim(
        id=text["id"],
        title=text["title"],
        better_method=text["better_method"],
        better_ranking=_ranking(text["better_ranking"]),
        worse_method=text["worse_method"],
        worse_ranking=_ranking(text["worse_ranking"]),
        quantity=text["quantity"],
        datasets=() if text["datasets"] == EVERYWHERE else tuple(text["datasets"].split()),
        source=text["source"],
    )


def _ranking(name: str) -> Ranking:
    return "rk" if name == "rk" else "plain"
