"""Golden numbers of released code, and the rule for the weights behind them.

The rule makes weights from released names and shapes, so that no checkpoint needs to be stored.
`tests/golden/zoo` holds what each competitor's released implementation gave for them.
"""

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from topdb.methods.contract import Method

GOLDEN = Path(__file__).parents[1] / "golden"
ZOO = GOLDEN / "zoo"
LABELS = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
IDENTITIES = 10


@cache
def released_shapes() -> dict[str, Any]:
    """Names and shapes of the released checkpoints, by method; and a few numbers beside them."""
    return json.loads((GOLDEN / "model_state_shapes.json").read_text())


def golden_state(method: str) -> dict[str, torch.Tensor]:
    """The state dict of a released checkpoint with the golden weights, under its own names."""
    return {
        name: torch.from_numpy(golden_value(name, tuple(shape)))
        for name, shape in released_shapes()[method].items()
    }


def golden_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value that the golden numbers give to a released entry."""
    generator = np.random.default_rng([zlib.crc32(name.encode()), 20201012])
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        value = generator.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        value = 0.1 * generator.standard_normal(shape)
    else:
        value = generator.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    return value.astype(np.float32)


def arrays(folder: str, file: str = "features.npz") -> dict[str, np.ndarray]:
    """Golden arrays of a folder of the zoo."""
    with np.load(ZOO / folder / file) as found:
        return dict(found)


def numbers(folder: str, file: str = "losses.json") -> dict[str, Any]:
    """Golden numbers of a folder of the zoo."""
    found: dict[str, Any] = json.loads((ZOO / folder / file).read_text())
    return found


def gradients(name: str) -> dict[str, Any]:
    """Norms of gradients of the total training loss, by released name."""
    found: dict[str, Any] = json.loads((ZOO / "gradients.json").read_text())
    return found[name]


def shapes(folder: str) -> dict[str, list[int]]:
    """Names and shapes of the released state dict."""
    return numbers(folder, "shapes.json")


def released_state(folder: str) -> dict[str, torch.Tensor]:
    """The released state dict, filled by the rule."""
    return {
        name: torch.from_numpy(np.asarray(golden_value(name, tuple(shape))))
        for name, shape in shapes(folder).items()
    }


def images(height: int, width: int, count: int = 2) -> torch.Tensor:
    """Images by the rule: 2 for testing, 8 for training."""
    drawn = np.random.default_rng(20201012).standard_normal((count, 3, height, width))
    return torch.from_numpy(drawn.astype(np.float32))


def filled(method: Method, double: bool = False) -> Method:
    """Fill a method's weights by the rule, by the released names of its entries.

    Entries that released checkpoints lack are filled by their own name.
    """
    names = method.released({})
    assert names is not None
    state = {
        own: torch.from_numpy(
            np.asarray(golden_value(names.released(own) or own, tuple(value.shape)))
        )
        for own, value in method.state_dict().items()
    }
    method.load_state_dict(state)
    return method.double() if double else method


def assert_names_and_shapes(method: Method, folder: str) -> None:
    """Whether a method's entries are those of the released state dict, entry by entry."""
    names = method.released({})
    assert names is not None
    own = {
        names.released(name): list(value.shape)
        for name, value in method.state_dict().items()
        if names.released(name)
    }
    released = {
        name: shape
        for name, shape in shapes(folder).items()
        if not any(name == unused or name.startswith(unused + ".") for unused in names.unused)
    }
    assert own == released


def assert_near(found: torch.Tensor | np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Whether values agree to a share of the largest expected one."""
    values = found.detach().numpy() if isinstance(found, torch.Tensor) else found
    np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance * np.abs(expected).max())
