"""ResNet-50 (He et al., CVPR 2016): with last stride 1 a total stride of 16, 24 rows at 384x128."""

from topdb.config.scale import ScaleSettings
from topdb.methods.parts.stages import Stages
from topdb.methods.parts.stages import resnet_stages as stages


def build(scale: ScaleSettings, last_stride: int = 1, stem_relu: bool = True) -> Stages:
    """Build the network without pooling and classifier; it has 2048 channels."""
    from torchvision.models import resnet50  # here: it costs a second that other backbones save

    return stages(resnet50, last_stride, stem_relu)
