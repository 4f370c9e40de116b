"""What the authors' released checkpoints call the entries of our networks."""

import re
import zlib

import numpy as np

_BACKBONE = {
    "conv1": "0",
    "bn1": "1",
    "layer1": "4",
    "layer2": "5",
    "layer3": "6",
    "layer4": "7",
}
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


def released_name(method: str, own: str) -> str:
    """Return the released name of one entry of a method's state dict."""
    if own.startswith("backbone."):
        _, layer, rest = own.split(".", 2)
        return f"base.{_BACKBONE[layer]}.{rest}"
    names = _NAMES | (_WITHOUT_DROP if method == "no-drop" else _WITH_DROP)
    prefix = next(prefix for prefix in names if own.startswith(prefix + "."))
    released = names[prefix] + own[len(prefix) :]
    if method == "baseline":  # its single bottleneck is not numbered
        released = re.sub(r"(drop_batch_bottleneck)\.0", r"\1", released)
    return released


def golden_value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the value that the golden numbers give to a released entry (see the tests' README)."""
    generator = np.random.default_rng([zlib.crc32(name.encode()), 20201012])
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        value = generator.uniform(0.5, 1.5, shape)
    elif len(shape) == 1:
        value = 0.1 * generator.standard_normal(shape)
    else:
        value = generator.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    return value.astype(np.float32)
