"""Every method's recipe as a profile trains it, checked before anything trains."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from topdb.config import EVERYWHERE, Profile, nearest
from topdb.errors import UserError
from topdb.methods import build
from topdb.methods.contract import Recipe
from topdb.methods.contract.resolving import plain
from topdb.runs.record import Chosen, chosen

_IDENTITIES = 2
_USUAL = ("flip", "crop", "jitter", "erase")
"""Augmentations that a profile may switch off whether or not its methods have them."""


def recipes(profile: Profile, method_folders: Sequence[Path] = ()) -> dict[str, Any]:
    """Return the recipe of each method on each data set, as plain data.

    Data sets for which nothing is changed share one entry under `all`.

    Raises
    ------
    UserError
        A method's file breaks the contract, or a recipe cannot be trained: a side, group or
        option that the method has not, stripes that do not divide the map's rows, a batch of more
        people than a drawn data set has.
    """
    found: dict[str, Any] = {}
    augmentations = set(_USUAL)
    for method in profile.methods:
        changed = set(profile.changes.get(method, {})) & set(profile.datasets)
        trained = {
            dataset: chosen(profile, dataset, method, method_folders)
            for dataset in (EVERYWHERE, *sorted(changed))
        }
        for each in trained.values():
            _check(each, method, profile)
            augmentations |= {transform.name for transform in each.recipe.augmentation}
        for dataset in profile.datasets:
            recipe = trained.get(dataset, trained[EVERYWHERE]).recipe
            _require_people(recipe, method, dataset, profile)
        found[method] = {
            "title": each.method.title,
            "backbone": each.backbone,
            "recipes": {
                dataset: {"side": each.side, **plain(each.recipe)}
                for dataset, each in sorted(trained.items())
            },
        }
    _require_augmentations(profile.scale.without, augmentations)
    content: dict[str, Any] = json.loads(json.dumps(found))
    return content


def _check(trained: Chosen, method: str, profile: Profile) -> None:
    recipe = trained.recipe
    try:
        with torch.device("meta"):
            network = build(trained.method, recipe, _IDENTITIES, profile.scale)
        groups = network.groups()
    except UserError as error:
        raise UserError(f"method {method}: {error}") from None
    except Exception as error:  # whatever a user's file does
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"method {method}: its network cannot be built ({type(error).__name__}: {reason}): "
            "mend its file, and hold it to the contract with `topdb check-method`."
        ) from None
    if groups.keys() != recipe.rules.keys():
        raise UserError(
            f"method {method}: its recipe has rules for {', '.join(recipe.rules)}, and its network "
            f"the groups {', '.join(groups)}: give each group one rule."
        )
    watch, passes = profile.watch, recipe.whole_passes
    if method in watch.methods and watch.of(passes)[-1] > passes:
        raise UserError(
            f"snapshots.epochs names {watch.of(passes)[-1]}, and the training of {method} has "
            f"{passes}: name epochs that it has."
        )


def _require_people(recipe: Recipe, method: str, dataset: str, profile: Profile) -> None:
    drawn = profile.datasets[dataset].render
    if drawn and drawn.train_people < recipe.people:
        raise UserError(
            f"method {method}: a batch holds {recipe.people} people, and the training split of "
            f"{dataset} shows {drawn.train_people}: lower changes.{method}.{dataset}.people or "
            "scale.people in params.yaml, or draw more people."
        )


def _require_augmentations(without: Sequence[str], known: set[str]) -> None:
    for name in without:
        if name not in known:
            raise UserError(
                f"scale.without names '{name}'{nearest(name, sorted(known))}, an augmentation that "
                f"no method of the profile has: name one of {', '.join(sorted(known))}."
            )
