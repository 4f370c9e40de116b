"""Which parts of a run share randomness, in one place.

Every random choice of a run comes from a generator that is seeded by the run's identity and the
choice's purpose. Runs of two methods with the same seed therefore share nothing: seeds are
unpaired between methods, as the significance tests assume.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

Purpose = Literal["weights", "sampler", "augmentation", "drop"]


@dataclass(frozen=True)
class Randomness:
    """The seeds of one run."""

    dataset: str
    method: str
    seed: int

    def numpy(self, purpose: Purpose) -> np.random.Generator:
        """Return a new numpy generator for one purpose."""
        return np.random.default_rng(self._derived(purpose))

    def torch(self, purpose: Purpose) -> torch.Generator:
        """Return a new torch generator, on the CPU, for one purpose."""
        return torch.Generator().manual_seed(self._derived(purpose))

    def step(self, number: int, step: int) -> int:
        """Return the seed of torch's own generator (dropout) for a step of a pass."""
        return self._derived(f"step {number} {step}")

    def _derived(self, purpose: str) -> int:
        identity = f"{purpose}\n{self.dataset}\n{self.method}\n{self.seed}"
        return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]) >> 1
