"""A convolution and its batch normalisation, as one convolution where nothing is measured."""

from torch import Tensor, nn
from torch.nn.functional import conv2d


def convolve_and_normalise(features: Tensor, conv: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Return `norm(conv(features))`.

    In evaluation mode the normalisation is a factor and a shift of each channel. The convolution's
    weights take both over, which saves a pass over the map; numbers differ by rounding.

    Parameters
    ----------
    features : (B, channels, H, W)
    conv : without a bias
    norm : of its output; its own mode decides, and not that of the caller
    """
    if norm.training:
        result: Tensor = norm(conv(features))
        return result
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
    weight = conv.weight * factor[:, None, None, None]
    shift = norm.bias - norm.running_mean * factor
    assert not isinstance(conv.padding, str)
    return conv2d(features, weight, shift, conv.stride, conv.padding, conv.dilation, conv.groups)
