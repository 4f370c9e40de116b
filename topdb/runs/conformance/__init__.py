"""Whether a method keeps the contract: what `topdb check-method` and the tests ask of each."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from topdb.config import ScaleSettings
from topdb.errors import UserError
from topdb.methods.contract import Method
from topdb.runs.conformance import behaving, declaring
from topdb.runs.conformance.subject import SCALE, Subject

CHECKS: dict[str, Callable[[Subject], None]] = {
    "title and backbone are literals": declaring.literals,
    "the recipe is plain data": declaring.plain_data,
    "augmented images have the input's size": declaring.augmentation,
    "groups are those of the recipe": declaring.groups,
    "a backbone's weights arrive": declaring.start,
    "batches are rows": behaving.batches,
    "losses have names and are finite": behaving.losses,
    "everything in a group learns, and nothing else": behaving.everything_learns,
    "begin depends on the moment alone": behaving.begin_is_pure,
    "the generators decide every bit": behaving.generators,
    "a training pass may be computed in bfloat16": behaving.autocast,
    "an embedding depends on its image alone": behaving.embedding,
    "figures are given a map": behaving.figures,
    "released names are one to one": declaring.released,
    "an interrupted training goes on bit for bit": behaving.resumes,
}
"""Each asks one thing, and raises a UserError where it is not so."""


class BrokenContractError(UserError):
    """A method does not do what the contract says."""


def check(subject: Subject) -> Iterator[str]:
    """Yield the name of each thing that a method keeps.

    Raises
    ------
    BrokenContractError
        It does not keep the next; the message says what, and what to do.
    """
    for name, ask in CHECKS.items():
        try:
            with torch.random.fork_rng([]):
                ask(subject)
        except UserError as error:
            raise BrokenContractError(f"{subject.file}, {subject.side}: {name}: {error}") from None
        except Exception as error:  # whatever a user's file does
            reason = " ".join(str(error).split())[:300]
            raise BrokenContractError(
                f"{subject.file}, {subject.side}: {name}: it raised {type(error).__name__} "
                f"({reason}): mend it."
            ) from error
        yield name


def sides(
    method: type[Method], name: str, file: Path, scale: ScaleSettings = SCALE
) -> list[Subject]:
    """Return every side and variant of a method."""
    return [Subject(name, method, side, file, scale) for side in method.recipes]
