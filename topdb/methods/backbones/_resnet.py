"""What ResNet-50 and ResNet-101 (He et al., CVPR 2016) share."""

from collections.abc import Callable
from typing import Any

from topdb.methods.parts.stages import Stages

_CHANNELS = {"stem": 64, "layer1": 256, "layer2": 512, "layer3": 1024, "layer4": 2048}


def stages(network: Callable[..., Any], last_stride: int, stem_relu: bool) -> Stages:
    """Return torchvision's network without pooling and classifier.

    Parameters
    ----------
    network : builds it
    last_stride : of layer4; 1 keeps the map at a 16th of the image
    stem_relu : whether the stem has its ReLU; some released code lacks it
    """
    built = network(weights=None)
    first_of_last = built.layer4[0]
    first_of_last.conv2.stride = (last_stride, last_stride)
    first_of_last.downsample[0].stride = (last_stride, last_stride)
    names = ["conv1", "bn1", *(["relu"] if stem_relu else []), "maxpool"]
    names += ["layer1", "layer2", "layer3", "layer4"]
    ends = {"stem": "maxpool", **{f"layer{n}": f"layer{n}" for n in range(1, 5)}}
    strides = {"stem": 4, "layer1": 4, "layer2": 8, "layer3": 16, "layer4": 16 * last_stride}
    return Stages({name: getattr(built, name) for name in names}, ends, _CHANNELS, strides)
