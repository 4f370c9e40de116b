"""The optimisers, by torch's own steps, fused or one parameter after the other.

`torch.optim.Adam` imports torch's compiler when it is constructed, which costs a second and 150 MB
in each of many training processes; the functions that it calls do not.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from topdb.errors import UserError
from topdb.methods.contract import SGD, Adam, Method


class Optimiser(Protocol):
    """Moves the parameters of one group."""

    def state(self) -> dict[str, Tensor]:
        """Return what it remembers, by the parameter's place in its group."""
        ...

    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient."""
        ...


class AdamSteps:
    """Kingma & Ba (ICLR 2015) with an L2 penalty in the gradient; bit for bit torch's own."""

    def __init__(self, parameters: Iterable[nn.Parameter], rule: Adam, fused: bool = True) -> None:
        self._parameters = list(parameters)
        self._rule = rule
        self._fused = fused
        self._means = [torch.zeros_like(each) for each in self._parameters]
        self._squares = [torch.zeros_like(each) for each in self._parameters]
        largest = self._parameters if rule.amsgrad else []
        self._largest = [torch.zeros_like(each) for each in largest]
        # The fused step counts on the device; the other one would wait for the device's count.
        self._steps = [
            torch.zeros((), device=each.device if fused else "cpu") for each in self._parameters
        ]

    def state(self) -> dict[str, Tensor]:
        """Return the moments and step counts."""
        parts = {"mean": self._means, "square": self._squares, "step": self._steps}
        return _numbered(parts | {"largest": self._largest})

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient."""
        moved = [i for i, each in enumerate(self._parameters) if each.grad is not None]
        if not moved:
            return
        adam(
            [self._parameters[i] for i in moved],
            _gradients(self._parameters, moved),
            [self._means[i] for i in moved],
            [self._squares[i] for i in moved],
            [self._largest[i] for i in moved] if self._largest else [],
            [self._steps[i] for i in moved],
            foreach=False,
            fused=self._fused,
            amsgrad=self._rule.amsgrad,
            beta1=self._rule.betas[0],
            beta2=self._rule.betas[1],
            lr=learning_rate,
            weight_decay=self._rule.weight_decay,
            eps=1e-8,
            maximize=False,
        )


class SGDSteps:
    """Gradient descent with momentum and an L2 penalty in the gradient; torch's own."""

    def __init__(self, parameters: Iterable[nn.Parameter], rule: SGD, fused: bool = True) -> None:
        self._parameters = list(parameters)
        self._rule = rule
        self._fused = fused
        # A momentum of zeros becomes the gradient in the first step, as torch's own first step
        # has it.
        moving = self._parameters if rule.momentum else []
        self._momenta = [torch.zeros_like(each) for each in moving]

    def state(self) -> dict[str, Tensor]:
        """Return the momenta."""
        return _numbered({"momentum": self._momenta})

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter that has a gradient."""
        moved = [i for i, each in enumerate(self._parameters) if each.grad is not None]
        if not moved:
            return
        sgd(
            [self._parameters[i] for i in moved],
            _gradients(self._parameters, moved),
            [self._momenta[i] if self._momenta else None for i in moved],
            foreach=False,
            fused=self._fused,
            weight_decay=self._rule.weight_decay,
            momentum=self._rule.momentum,
            lr=learning_rate,
            dampening=0.0,
            nesterov=self._rule.nesterov,
            maximize=False,
        )


class Optimisers:
    """The optimiser of every group of a method's parameters.

    Raises
    ------
    UserError
        The recipe's rules and the method's groups have other names.
    """

    def __init__(self, method: Method, fused: bool) -> None:
        self._method = method
        self._fused = fused
        self._all = list(method.parameters())
        self._groups = method.groups()
        rules = method.recipe.rules
        if self._groups.keys() != rules.keys():
            raise UserError(
                f"the recipe has rules for {', '.join(rules)}, and the method the groups "
                f"{', '.join(self._groups)}: give each group one rule."
            )
        self._own: dict[str, Optimiser] = {}
        self.forget()

    @property
    def parameters(self) -> list[nn.Parameter]:
        """All parameters of all groups."""
        return [each for group in self._groups.values() for each in group]

    def forget(self) -> None:
        """Begin anew, as if no step had been made."""
        rules = self._method.recipe.rules
        for name, group in self._groups.items():
            rule = rules[name]
            self._own[name] = (
                AdamSteps(group, rule, self._fused)
                if isinstance(rule, Adam)
                else SGDSteps(group, rule, self._fused)
            )

    def zero_grad(self) -> None:
        """Forget the gradients of every parameter of the method."""
        for parameter in self._all:
            parameter.grad = None

    def step(self, rates: Mapping[str, float]) -> None:
        """Move every parameter that has a gradient by its group's learning rate."""
        for name, own in self._own.items():
            own.step(rates[name])

    def state(self) -> dict[str, Tensor]:
        """Return what all remember, by `<group>.<what>.<place>`."""
        return {
            f"{name}.{part}": value
            for name, own in self._own.items()
            for part, value in own.state().items()
        }

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` of the same method's optimisers returned."""
        for name, own in self.state().items():
            own.copy_(state[name])


def _gradients(parameters: list[nn.Parameter], moved: list[int]) -> list[Tensor]:
    gradients = [parameters[i].grad for i in moved]
    return [gradient for gradient in gradients if gradient is not None]


def _numbered(parts: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    return {
        f"{name}.{place:04d}": each
        for name, part in parts.items()
        for place, each in enumerate(part)
    }
