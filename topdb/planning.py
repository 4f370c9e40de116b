"""What a profile runs, as plain data for the workflow, checked before anything starts."""

import hashlib
import os
from pathlib import Path
from typing import Any

from topdb.errors import UserError
from topdb.params import DatasetSettings, ImagenetSettings, Params, PretrainingSettings

_PACKAGE = Path(__file__).parent
_SOURCES = {
    "render": ("datasets",),
    "index": ("datasets",),
    "train": ("methods", "training"),
    "evaluate": ("retrieval", "evaluation.py"),
    "compare": ("statistics", "reporting"),
    "report": ("reporting",),
}
"""Which code each step's results come from."""


def plan(params: Params, name: str | None) -> dict[str, Any]:
    """Return the profile's lists, and every parameter by the step that uses it.

    Each step's parameters are a whole, so that the workflow reruns just the steps whose
    parameters changed.

    Raises
    ------
    UserError
        There is no such profile, or the folder or the weights of a real data set are missing.
    """
    profile = params.selected(name)
    for dataset, settings in profile.all_datasets().items():
        if settings.render is None and not settings.root.is_dir():
            raise UserError(
                f"data set {dataset}: the folder {settings.root} does not exist; put the images "
                f"there (layout {settings.layout}), or correct its root in params.yaml."
            )
    start = profile.start
    if isinstance(start, ImagenetSettings) and not start.weights.is_file():
        raise UserError(
            f"start.weights: {start.weights} does not exist; put torchvision's "
            "resnet50-19c8e357.pth there."
        )
    training = profile.training.model_dump(mode="json")
    return {
        "profile": name or params.profile,
        "methods": profile.methods,
        "seeds": profile.seeds,
        "rankings": profile.rankings,
        "datasets": list(profile.datasets),
        "render": {
            dataset: settings.model_dump(mode="json", exclude={"title"})
            for dataset, settings in profile.all_datasets().items()
            if settings.render
        },
        "index": {
            dataset: {
                "layout": settings.layout,
                "root": str(settings.root),
                "images": _fingerprint(settings),
            }
            for dataset, settings in profile.all_datasets().items()
        },
        "source": {step: _source_digest(rooms) for step, rooms in _SOURCES.items()},
        "titles": [settings.title for settings in profile.datasets.values()],
        "pretrain": isinstance(start, PretrainingSettings),
        "train": {
            "recipe": profile.recipe,
            "network": profile.network.model_dump(mode="json"),
            "start": start.model_dump(mode="json") if start else None,
            "training": training,
        },
        "threads": profile.training.threads,
        "device": profile.training.device,
        "resources": profile.resources.model_dump(mode="json"),
        "ranking": profile.ranking.model_dump(mode="json"),
        "statistics": params.statistics.model_dump(mode="json"),
        "tracking": params.tracking.model_dump(mode="json"),
    }


def _source_digest(rooms: tuple[str, ...]) -> str:
    """Return a digest of a step's code: results of other code are not kept for its own."""
    found = hashlib.sha256()
    for room in rooms:
        path = _PACKAGE / room
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            found.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0")
            found.update(file.read_bytes())
    return found.hexdigest()


def _fingerprint(settings: DatasetSettings) -> str | None:
    """Return a digest of a real data set's file names and sizes; None for a drawn one.

    Modification times are left out, since a checkout renews them.
    """
    if settings.render:
        return None
    tracked = settings.root.with_name(settings.root.name + ".dvc")
    if tracked.is_file():
        return hashlib.sha256(tracked.read_bytes()).hexdigest()
    found = hashlib.sha256()
    for folder, folders, files in os.walk(settings.root):
        folders.sort()
        for name in sorted(files):
            path = Path(folder, name)
            size = path.stat().st_size if path.exists() else -1
            line = f"{path.relative_to(settings.root).as_posix()}\0{size}\n"
            found.update(line.encode("utf-8", "surrogateescape"))
    return found.hexdigest()
