"""What the authors' released checkpoints call the entries of a stream network's state dict.

The names are those of the repository that the paper's abstract gives (`models/bdnet.py` there).
"""

from torch import nn

from topdb.methods.contract import Names

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


def released_names(backbone: nn.Module, drop: bool, bottlenecks: int, idle_neck: bool) -> Names:
    """Return the released name of each entry of a stream network with that backbone.

    Parameters
    ----------
    backbone : whose layers are numbered
    drop : whether there is a drop stream
    bottlenecks : how many
    idle_neck : whether the released network has a neck for a regularization stream that it lacks,
        which is never run
    """
    layers = [name for name, _ in backbone.named_children()]
    prefixes = {f"backbone.{name}": f"base.{place}" for place, name in enumerate(layers)}
    prefixes |= _HEADS | (_WITH_DROP if drop else _WITHOUT_DROP)
    if bottlenecks == 1:  # the released network does not number a single one
        prefixes["bottlenecks.0"] = prefixes["bottlenecks"]
    unused = (_WITH_DROP["regularization_head.neck"],) if idle_neck else ()
    return Names(prefixes, classifier="classifier_global.weight", unused=unused)
