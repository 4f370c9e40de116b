"""What the authors' released checkpoints call the entries of a stream network's state dict.

The names are those of the repository that the paper's abstract gives (`models/bdnet.py` there).
"""

from typing import TYPE_CHECKING

from torch import nn

from topdb.methods.contract import Names

if TYPE_CHECKING:
    from topdb.methods.parts.streams import Streams

_HEADS = {
    "global_reduction": "reduction_global",
    "global_head.neck": "bottleneck_global",
    "global_head.classifier": "classifier_global",
    "drop_reduction": "reduction_db",
    "drop_head.neck": "bottleneck_db",
    "drop_head.classifier": "classifier_db",
}
_WITH_DROP = {
    "bottlenecks": "batch_drop.drop_batch_bottleneck",
    "regularization_head.neck": "bottleneck_drop_bottleneck_features",
    "regularization_head.classifier": "classifier_drop_bottleneck",
}
_WITHOUT_DROP = {
    "bottlenecks": "reduction_regularization",
    "regularization_head.neck": "bottleneck_regularization",
    "regularization_head.classifier": "classifier_regularization",
}


def released_names(streams: "Streams", backbone: nn.Module) -> Names:
    """Return the released name of each entry of a stream network with that backbone.

    With a neck, the released network has one for the regularization stream even where there is
    no such stream: that layer is never run.
    """
    layers = [name for name, _ in backbone.named_children()]
    prefixes = {f"backbone.{name}": f"base.{place}" for place, name in enumerate(layers)}
    prefixes |= _HEADS | (_WITH_DROP if streams.drop else _WITHOUT_DROP)
    if streams.bottlenecks == 1:  # the released network does not number a single one
        prefixes["bottlenecks.0"] = prefixes["bottlenecks"]
    unused: tuple[str, ...] = ()
    if streams.drop and streams.neck and not streams.regularization:
        unused = (_WITH_DROP["regularization_head.neck"],)
    return Names(prefixes, classifier="classifier_global.weight", unused=unused)
