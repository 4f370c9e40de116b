"""A backbone as a row of named stages, which methods tap, split, copy or insert between."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from torch import Tensor, nn


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
