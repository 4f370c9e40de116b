"""The bottleneck block that the drop and the regularization stream refine features with."""

from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution around a shortcut (He et al., CVPR 2016); shape unchanged."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, features: Tensor) -> Tensor:
        """Refine a feature map (B, channels, H, W)."""
        refined = self.bn1(self.conv1(features)).relu_()
        refined = self.bn2(self.conv2(refined)).relu_()
        refined = self.bn3(self.conv3(refined))
        result: Tensor = (refined + features).relu_()
        return result
