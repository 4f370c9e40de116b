"""A backbone as named stages, and what methods take out of them."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from topdb.errors import UserError


class Stages(nn.Sequential):
    """Layers in a row, some of which end a named stage.

    The layers' names are those of the backbone's weights; a part of it keeps them, so that one
    file of weights starts every part and copy.

    Parameters
    ----------
    layers : in order, by name
    ends : by stage, the name of its last layer; in order
    channels : by stage, of the map that it gives
    strides : by stage, of its map against the image, in height and width alike
    rounds_down : stride of a stem whose map lacks a row where the height leaves a rest; all other
        layers, and by default the stem too, round up
    """

    def __init__(
        self,
        layers: Mapping[str, nn.Module],
        ends: Mapping[str, str],
        channels: Mapping[str, int],
        strides: Mapping[str, int],
        rounds_down: int = 1,
    ) -> None:
        super().__init__(OrderedDict(layers))
        self.ends = dict(ends)
        self.stage_channels = dict(channels)
        self.stage_strides = dict(strides)
        self._rounds_down = rounds_down

    def __getitem__(self, index: int | slice) -> nn.Module:  # type: ignore[override]
        """Return a layer by its place, or several as a plain row that keeps their names."""
        if isinstance(index, slice):
            return nn.Sequential(OrderedDict(list(self.named_children())[index]))
        return list(self.children())[index]

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(self.ends)

    @property
    def channels(self) -> int:
        """Channels of the last map."""
        return self.stage_channels[self.stages[-1]]

    def rows(self, height: int, stage: str | None = None) -> int:
        """Return the rows of a stage's map (default: the last) of images of `height` pixels."""
        stride = self.stage_strides[stage or self.stages[-1]] // self._rounds_down
        return -(-(height // self._rounds_down) // stride)

    def through(self, stage: str) -> nn.Sequential:
        """Return the layers up to the end of a stage, that stage included."""
        return self._between(0, self._end(stage))

    def after(self, stage: str) -> nn.Sequential:
        """Return the layers after a stage's end."""
        return self._between(self._end(stage), len(self))

    def only(self, stage: str) -> nn.Sequential:
        """Return the layers of one stage, which are none where the stage is empty."""
        place = self.stages.index(stage)
        first = self._end(self.stages[place - 1]) if place else 0
        return self._between(first, self._end(stage))

    def taps(self, images: Tensor, stages: Sequence[str]) -> list[Tensor]:
        """Return the maps (B, C, H, W) that some stages, named in order, give."""
        found = []
        ends = {self.ends[stage] for stage in stages}
        for name, layer in self.named_children():
            images = layer(images)
            if name in ends:
                found.append(images)
        return found

    def _between(self, first: int, last: int) -> nn.Sequential:
        return nn.Sequential(OrderedDict(list(self.named_children())[first:last]))

    def _end(self, stage: str) -> int:
        return [name for name, _ in self.named_children()].index(self.ends[stage]) + 1


def started(part: nn.Module, weights: Mapping[str, Tensor], prefix: str = "") -> None:
    """Load a part of a backbone from the whole backbone's weights.

    `prefix` is what the part's names lack, as `layer3.` for the layers of that stage.

    Raises
    ------
    RuntimeError
        Names or shapes do not fit.
    """
    kept = {name: weights[prefix + name] for name in part.state_dict() if prefix + name in weights}
    part.load_state_dict(kept)


def last_stages(backbone: Stages, count: int) -> tuple[str, ...]:
    """Return the last `count` stages that have layers of their own; fewer if there are fewer."""
    found: dict[str, str] = {}
    for stage, end in backbone.ends.items():
        found.setdefault(end, stage)  # an empty stage ends where the one before ends
    return tuple(found.values())[-count:]


def map_rows(
    backbone: Stages, stages: tuple[str, ...], size: tuple[int, int], method: str
) -> list[int]:
    """Return the rows of the maps of some stages, named in order, for images of a size.

    A narrow blank image shows them, so that sizes which strides do not divide are exact too.

    Parameters
    ----------
    size : height and width in pixels
    method : whose images they are

    Raises
    ------
    UserError
        The images are smaller than one place of the last map.
    """
    height, width = size
    stride = backbone.stage_strides[stages[-1]]
    if min(size) < stride:
        raise UserError(
            f"{method}'s images are {height}x{width}, and one place of the last map stands for "
            f"{stride} pixels: set scale.size or changes.{method}.size in params.yaml to larger "
            "ones."
        )
    training = backbone.training
    with torch.no_grad():
        maps = backbone.eval().taps(torch.zeros(1, 3, height, min(width, 2 * stride)), stages)
    backbone.train(training)
    return [each.shape[2] for each in maps]


_CHANNELS = {"stem": 64, "layer1": 256, "layer2": 512, "layer3": 1024, "layer4": 2048}


def resnet_stages(network: Callable[..., Any], last_stride: int, stem_relu: bool) -> Stages:
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


def dilate_last_stage(backbone: Stages) -> None:
    """Give the last stage's 3x3 convolutions but the first a dilation of 2.

    With stride 1 they see as much of the image as with stride 2. So torchvision's ResNets replace
    a stride by a dilation.
    """
    layers = backbone.only(backbone.stages[-1]).modules()
    windows = [
        each for each in layers if isinstance(each, nn.Conv2d) and each.kernel_size == (3, 3)
    ]
    for convolution in windows[1:]:
        convolution.dilation = convolution.padding = (2, 2)


def average(features: Tensor) -> Tensor:
    """Return the mean over rows and columns, (B, C), of feature maps (B, C, H, W).

    `Tensor.mean` has the same value. Its gradient is a map of equal numbers that is written out,
    row by row even where the features lie channels last, so that every later sum has to reorder
    one side; the gradient of this one is a view of (B, C) numbers.
    """
    return features.sum(dim=(2, 3)) / (features.shape[2] * features.shape[3])
