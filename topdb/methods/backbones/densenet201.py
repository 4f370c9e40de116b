"""DenseNet-201 (Huang et al., CVPR 2017): each dense block is a stage, tapped before it shrinks."""

from topdb.config.scale import ScaleSettings
from topdb.methods.parts.norms import pointwise
from topdb.methods.parts.stages import Stages


def build(scale: ScaleSettings) -> Stages:
    """Build the network without its classifier, under torchvision's names below `features`.

    A stage ends with its dense block; the transition that halves the map opens the next one. The
    batch normalisation after the last block, `norm5`, belongs to no stage.

    Transitions round odd sizes down, so that `Stages.rows` is exact where 32 divides the height.
    """
    from torchvision.models import densenet201  # here: it costs a second that others save

    features = densenet201(weights=None).features
    pointwise(features)
    layers = dict(features.named_children())
    blocks = {f"denseblock{number}": f"denseblock{number}" for number in range(1, 5)}
    return Stages(
        layers,
        ends={"stem": "pool0", **blocks},
        channels=dict(zip(("stem", *blocks), (64, 256, 512, 1792, 1920), strict=True)),
        strides=dict(zip(("stem", *blocks), (4, 4, 8, 16, 32), strict=True)),
    )
