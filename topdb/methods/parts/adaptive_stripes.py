"""Stripes of a map whose rows they need not divide: neighbours then share a row."""

from torch import Tensor

from topdb.methods.parts.pooling import average
from topdb.methods.parts.stripes import stripe_averages


def adaptive_stripe_averages(features: Tensor, count: int) -> list[Tensor]:
    """Return the mean of each of `count` stripes, (B, C), of maps (B, C, H, W).

    Stripe i has the rows from i H / count, rounded down, to (i + 1) H / count, rounded up, as in
    PyTorch's adaptive pooling; the gradient of that is not reproducible on a GPU.
    """
    rows = features.shape[2]
    if rows % count == 0:
        return list(stripe_averages(features, count).unbind())
    bounds = [(at * rows // count, -(-(at + 1) * rows // count)) for at in range(count)]
    return [average(features[:, :, top:bottom]) for top, bottom in bounds]
