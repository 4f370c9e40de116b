"""A learning rate that falls along half a cosine, from epoch to epoch."""

import math
from dataclasses import dataclass

from topdb.methods.contract.recipe import Moment


@dataclass(frozen=True)
class CosineByEpoch:
    """Half a cosine from the base to zero; the rate of an epoch is that of its beginning.

    Source: Loshchilov & Hutter (ICLR 2017), equation 5, without restarts, as torch's
    `CosineAnnealingLR` has it when it is stepped once an epoch.
    """

    def rate(self, base: float, moment: Moment, epochs: int) -> float:
        """Return the rate of a step."""
        return base * 0.5 * (1.0 + math.cos(math.pi * moment.whole / epochs))
