"""How a method draws its batches."""

import numpy as np

from topdb.training.checks.subject import (
    Rows,
    Subject,
    drawn,
    kept,
    labels,
    moments,
    nothing_drawn,
    require,
    same,
)


def batches(subject: Subject) -> None:
    """Ask for rows that there are, drawn from the generator alone."""
    network = subject.built()
    before = kept(network)
    count = len(labels())
    different = False
    for moment in moments(network):
        rngs = [np.random.default_rng(seed) for seed in (0, 0, 1)]
        with nothing_drawn("batches()"):
            first, second, third = (drawn(network, moment, rng) for rng in rngs)
        require(bool(first), "batches() returns none: draw at least one.")
        for batch in first:
            require(
                isinstance(batch, np.ndarray)
                and batch.dtype == np.int64
                and batch.ndim == 1
                and len(batch) > 0
                and bool(((batch >= 0) & (batch < count)).all()),
                "batches() returns rows that there are not: return int64 positions in `people`.",
            )
        require(
            _equal(first, second) and rngs[0].bit_generator.state == rngs[1].bit_generator.state,
            "batches() are others for the same generator: draw from it alone.",
        )
        different |= not _equal(first, third)
    require(different, "batches() are the same for another generator: draw from it.")
    require(same(before, kept(network)), "batches() changes the network's state: leave it.")


def _equal(one: list[Rows], other: list[Rows]) -> bool:
    return len(one) == len(other) and all(map(np.array_equal, one, other))
