"""What the authors' released checkpoints call the entries of a stream network's state dict.

The names are those of the repository that the paper's abstract gives (`models/bdnet.py` there).
"""

from topdb.methods.parts.streams import StreamNetwork

_NAMES = {
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
GLOBAL_CLASSIFIER = "classifier_global.weight"
"""Every released network has it; its first dimension is the number of training people."""


def released_names(network: StreamNetwork) -> dict[str, str]:
    """Return the released name of each entry of a network's state dict."""
    return {own: _released_name(network, own) for own in network.state_dict()}


def unused_layer(network: StreamNetwork) -> str | None:
    """Return the prefix of a layer that released checkpoints carry and never run, or None.

    With a neck, the released network has one for the regularization stream even where there is no
    such stream.
    """
    streams = network.streams
    if streams.drop and streams.neck and not streams.regularization:
        return _WITH_DROP["regularization_head.neck"] + "."
    return None


def _released_name(network: StreamNetwork, own: str) -> str:
    if own.startswith("backbone."):
        _, layer, rest = own.split(".", 2)
        layers = [name for name, _ in network.backbone.named_children()]
        return f"base.{layers.index(layer)}.{rest}"
    names = _NAMES | (_WITH_DROP if network.streams.drop else _WITHOUT_DROP)
    prefix = next(prefix for prefix in names if own.startswith(prefix + "."))
    rest = own[len(prefix) :]
    if prefix == "bottlenecks" and network.streams.bottlenecks == 1:
        rest = rest.removeprefix(".0")  # the released network does not number a single one
    return names[prefix] + rest
