"""Few values on their way from the CPU to a device."""

from torch import Tensor, device


def sent(values: Tensor, target: device) -> Tensor:
    """Bring a few values from the CPU to a device without waiting for it."""
    return values.pin_memory().to(target, non_blocking=True) if target.type == "cuda" else values
