"""What decides on the bits of a run's weights: with all of it equal, so are they."""

from typing import Any

import numpy as np
import torch

from topdb.methods.contract import Recipe
from topdb.methods.contract.resolving import plain
from topdb.params import HardwareSettings, Profile


def identity(
    profile: Profile,
    dataset: str,
    method: str,
    seed: int,
    recipe: Recipe,
    code: str,
    index_digest: str,
    start_digest: str | None,
) -> dict[str, Any]:
    """Return, as plain data, what a checkpoint has to share with the run that takes it up.

    The machine is not among it: a job that is put back in the queue goes on wherever it lands.
    Another kind of processor rounds otherwise, though; `run.json` names every place.
    """
    return {
        "dataset": dataset,
        "method": method,
        "seed": seed,
        "recipe": plain(recipe),
        "scale": profile.scale.model_dump(mode="json"),
        "hardware": profile.hardware.model_dump(
            mode="json", exclude=HardwareSettings.WITHOUT_EFFECT | {"extraction_batch"}
        ),
        "index_digest": index_digest,
        "start_digest": start_digest,
        "code": code,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
