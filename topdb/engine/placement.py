"""Where tensors lie, and in which precision they are multiplied."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from topdb.config import HardwareSettings


@dataclass(frozen=True)
class Placement:
    """The device and memory layout of one training or extraction."""

    device: torch.device
    layout: torch.memory_format

    @classmethod
    def of(cls, settings: HardwareSettings) -> "Placement":
        """Return the placement that the parameters ask for."""
        layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        return cls(torch.device(settings.device), layout)

    def network(self, network: nn.Module) -> None:
        """Move a network there, in place."""
        network.to(self.device)
        network.to(memory_format=self.layout)

    def pinned(self, values: Tensor) -> Tensor:
        """Bring values to where a GPU can fetch them by itself; for a CPU leave them."""
        return values.pin_memory() if self.device.type == "cuda" else values

    def tensor(self, values: Tensor) -> Tensor:
        """Move values to the device; pinned ones without waiting for them."""
        return values.to(self.device, non_blocking=True)

    def images(self, images: Tensor) -> Tensor:
        """Bring a batch of images that is already on the device into the layout."""
        return images.contiguous(memory_format=self.layout)


@contextmanager
def precision(settings: HardwareSettings) -> Iterator[None]:
    """Let a GPU round products and convolutions to TF32, or not, as the parameters say.

    torch's own defaults differ between the two, so both are set; they are put back at the end. On
    a CPU nothing is touched.
    """
    if settings.device == "cpu":
        yield
        return
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = cuda.allow_tf32, cudnn.allow_tf32
    cuda.allow_tf32 = cudnn.allow_tf32 = settings.tf32
    try:
        yield
    finally:
        cuda.allow_tf32, cudnn.allow_tf32 = before
