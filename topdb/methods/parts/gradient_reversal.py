"""Reversing a gradient: what lies behind is trained against what lies before."""

from torch import Tensor


def reversed_gradient(values: Tensor) -> Tensor:
    """Return the values as they are, whose gradient is passed on with its sign turned.

    Source: Ganin & Lempitsky (ICML 2015). Weights that are applied to the result get their own
    gradient as usual. Doubling is exact in floating point, so the values are the same bits.
    """
    return 2.0 * values.detach() - values
