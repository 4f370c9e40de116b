"""A residual network small enough for a CPU: total stride 8, 64 channels, 12 rows at 96x32."""

from torch import Tensor, nn

from topdb.config.scale import ScaleSettings
from topdb.methods.parts.stages import Stages


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut (He et al., CVPR 2016)."""

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        refined = self.bn1(self.conv1(features)).relu_()
        refined = self.bn2(self.conv2(refined))
        result: Tensor = (refined + self.shortcut(features)).relu_()
        return result


def build(scale: ScaleSettings, last_stride: int = 1, stem_relu: bool = True) -> Stages:
    """Build the network; it stands in for a ResNet, whose third stage it lacks.

    Parameters
    ----------
    scale : not used: it is small as it is
    last_stride : of the last stage
    stem_relu : whether the stem has its ReLU
    """
    layers: dict[str, nn.Module] = {
        "0": nn.Conv2d(3, 16, 6, stride=4, padding=1, bias=False),
        "1": nn.BatchNorm2d(16),
        "2": nn.ReLU(inplace=True) if stem_relu else nn.Identity(),
        "3": BasicBlock(16, 16, stride=1),
        "4": BasicBlock(16, 32, stride=2),
        "5": BasicBlock(32, 64, stride=last_stride),
    }
    return Stages(
        layers,
        ends={"stem": "2", "layer1": "3", "layer2": "4", "layer3": "4", "layer4": "5"},
        channels={"stem": 16, "layer1": 16, "layer2": 32, "layer3": 32, "layer4": 64},
        strides={"stem": 4, "layer1": 4, "layer2": 8, "layer3": 8, "layer4": 8 * last_stride},
        rounds_down=4,
    )
