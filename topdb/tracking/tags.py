"""By what a run is found, and what it is called."""

from collections.abc import Mapping

HISTORY_TAG = "topdb.history"
"""Of a run that was told live: how many epochs arrived, the first to the last."""


def run_tags(profile: str, dataset: str, method: str, seed: int) -> dict[str, str]:
    """Return the tags by which a run is found."""
    return {"profile": profile, "dataset": dataset, "method": method, "seed": str(seed)}


def run_name(tags: Mapping[str, str]) -> str:
    """Return a run's name."""
    return f"{tags['method']} on {tags['dataset']}, seed {tags['seed']}"


def label(tags: Mapping[str, str]) -> str:
    """Return the name of a run's folder below the profile's results."""
    return f"{tags['dataset']}/{tags['method']}/seed-{tags['seed']}"
