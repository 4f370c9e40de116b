"""What a profile runs, as plain data for the workflow, checked before anything starts."""

from typing import Any

from topdb.errors import UserError
from topdb.params import ImagenetSettings, Params, PretrainingSettings


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
            dataset: {"layout": settings.layout, "root": str(settings.root)}
            for dataset, settings in profile.all_datasets().items()
        },
        "pretrain": isinstance(start, PretrainingSettings),
        "train": {
            "recipe": profile.recipe,
            "network": profile.network.model_dump(mode="json"),
            "start": start.model_dump(mode="json") if start else None,
            "training": training,
        },
        "threads": profile.training.threads,
        "device": profile.training.device,
        "ranking": profile.ranking.model_dump(mode="json"),
        "statistics": params.statistics.model_dump(mode="json"),
        "tracking": params.tracking.model_dump(mode="json"),
    }
