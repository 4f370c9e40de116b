"""In which precision a GPU multiplies float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from topdb.params import HardwareSettings


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
