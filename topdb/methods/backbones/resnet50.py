"""ResNet-50 (He et al., CVPR 2016) with last stride 1: total stride 16, 24 rows at 384x128."""

from torch import nn


def build() -> tuple[nn.Module, int]:
    """Build the network without pooling and classifier; return it with its 2048 channels."""
    from torchvision.models import resnet50  # here: it costs a second that other backbones save

    network = resnet50(weights=None)
    first_of_last = network.layer4[0]
    first_of_last.conv2.stride = (1, 1)
    first_of_last.downsample[0].stride = (1, 1)
    del network.avgpool, network.fc
    layers = nn.Sequential()
    for name, layer in network.named_children():
        layers.add_module(name, layer)
    return layers, 2048
