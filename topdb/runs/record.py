"""What a run's files say of it: which one it is, its parameters, epochs and weights."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from topdb.code import method_code
from topdb.config import EVERYWHERE, Profile, method_files
from topdb.datasets.account import account
from topdb.datasets.index import Index
from topdb.engine.checkpoint import save_tensors
from topdb.files import one_at_a_time, replacing
from topdb.methods import find
from topdb.methods.contract import Method, Recipe
from topdb.methods.contract.resolving import plain, resolved, side_of
from topdb.results.runs import Run


@dataclass(frozen=True)
class Chosen:
    """A method as a profile trains it on a data set."""

    method: type[Method]
    recipe: Recipe
    side: str
    backbone: str
    """That is built, under the profile's scale."""
    file: Path
    code: str
    """Digest of the code that decides on its runs."""


def chosen(
    profile: Profile, dataset: str, method: str, method_folders: Sequence[Path] = ()
) -> Chosen:
    """Return a method with its recipe as a profile trains it on a data set.

    Raises
    ------
    UserError
        There is no such method, its file breaks the contract, or the recipe has no such side,
        group or option.
    """
    found = find(method, method_folders)
    wanted = profile.side(method)
    recipe = resolved(found, method, wanted, profile.scale, profile.changes_of(method, dataset))
    backbone = profile.scale.backbone(found.backbone_name)
    file = method_files(method_folders)[method]
    return Chosen(
        found, recipe, side_of(found, method, wanted), backbone, file, method_code(file, backbone)
    )


def alone_in(folder: Path) -> AbstractContextManager[bool]:
    """Wait until no other process trains into a folder; yield whether there was one.

    A killed scheduler leaves its jobs behind, and they go on writing.
    """
    said = f"waiting for another process that trains into {folder}"
    return one_at_a_time(folder / "run.json", said)


def parameters_of(
    run: Run, profile_name: str, profile: Profile, method: Chosen, less: str
) -> dict[str, Any]:
    """Return the part of `run.json` that says which run it is, and under which parameters.

    `less` is what the network lacks of the real method; it joins the recipe's note.
    """
    changes = profile.changes_of(run.method, run.dataset)
    note = "; ".join(filter(None, (method.recipe.note, less)))
    return {
        "profile": profile_name,
        "dataset": run.dataset,
        "method": run.method,
        "seed": run.seed,
        "title": method.method.title,
        "recipe": {**plain(method.recipe), "side": method.side, "note": note},
        "scale": profile.scale.model_dump(mode="json"),
        "changes": list(_sentences(run.method, run.dataset, profile)),
        "changed": [each.model_dump(mode="json", exclude_defaults=True) for each in changes],
        "backbone": method.backbone,
        "start": profile.start.model_dump(mode="json") if profile.start else None,
        "hardware": profile.hardware.model_dump(mode="json"),
        "code": method.code,
    }


def data_of(index: Index | None, dataset: str, profile: Profile) -> dict[str, Any]:
    """Return the part of `run.json` that says what its data hold, and whether they are drawn."""
    settings = profile.datasets.get(dataset)
    return {
        "rendered": bool((settings and settings.render) or (index and index.drawn)),
        "data": account(index) if index else None,
        "index_digest": index.digest if index else None,
    }


def _sentences(method: str, dataset: str, profile: Profile) -> Iterator[str]:
    """Say what a profile changes in a method's recipe, for the notes below a table."""
    for where, changes in profile.changes.get(method, {}).items():
        if where in (EVERYWHERE, dataset):
            content = changes.model_dump(mode="json", exclude_defaults=True)
            if not content:
                continue
            place = "" if where == EVERYWHERE else f" on {where}"
            yield f"{method}{place}: {', '.join(_told(content))}"


def _told(content: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from _told(value, f"{before}{key}.")
        else:
            yield f"{before}{key} {value}"


def save_weights(network: Method, path: Path) -> None:
    """Write a network's state as `weights.safetensors`; the network moves to the CPU."""
    network.cpu().to(memory_format=torch.contiguous_format)
    with replacing(path) as partial:
        save_tensors(network.state_dict(), partial)
