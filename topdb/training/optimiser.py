"""Adam, by torch's own step, fused or one parameter after the other.

`torch.optim.Adam` imports torch's compiler when it is constructed, which costs a second and 150 MB
in each of hundreds of training processes; the function that it calls does not.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class Adam:
    """Kingma & Ba (ICLR 2015) with an L2 penalty in the gradient; bit for bit torch's own."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        betas: tuple[float, float],
        weight_decay: float,
        fused: bool = True,
    ) -> None:
        self._parameters = [each for each in parameters if each.requires_grad]
        self._betas = betas
        self._weight_decay = weight_decay
        self._fused = fused
        self._means = [torch.zeros_like(each) for each in self._parameters]
        self._squares = [torch.zeros_like(each) for each in self._parameters]
        # The fused step counts on the device; the other one would wait for the device's count.
        self._steps = [
            torch.zeros((), device=each.device if fused else "cpu") for each in self._parameters
        ]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return the moments and step counts, by the parameter's place in the order of all."""
        parts = {"mean": self._means, "square": self._squares, "step": self._steps}
        return {
            f"{name}.{place:04d}": each
            for name, part in parts.items()
            for place, each in enumerate(part)
        }

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` of the same parameters' optimiser returned."""
        for name, own in self.state().items():
            own.copy_(state[name])

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient."""
        moved = [i for i, each in enumerate(self._parameters) if each.grad is not None]
        gradients = [self._parameters[i].grad for i in moved]
        adam(
            [self._parameters[i] for i in moved],
            [gradient for gradient in gradients if gradient is not None],
            [self._means[i] for i in moved],
            [self._squares[i] for i in moved],
            [],
            [self._steps[i] for i in moved],
            foreach=False,
            fused=self._fused,
            amsgrad=False,
            beta1=self._betas[0],
            beta2=self._betas[1],
            lr=learning_rate,
            weight_decay=self._weight_decay,
            eps=1e-8,
            maximize=False,
        )
