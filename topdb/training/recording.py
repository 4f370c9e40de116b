"""The losses of an epoch's steps: they stay on the device until somebody looks."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from topdb.errors import UserError
from topdb.methods.contract import Losses


class Recorded:
    """Losses of one epoch, step by step.

    Adding a step's losses waits for no GPU; looking at them does.

    Parameters
    ----------
    epoch : counted from 1
    names, values : of the steps that another process has done, (steps, names) float32
    """

    def __init__(self, epoch: int, names: Sequence[str] = (), values: Tensor | None = None) -> None:
        self._epoch = epoch
        self.names = list(names)
        self._seen = [] if values is None or not len(values) else [values]
        self._unseen: list[Tensor] = []

    def add(self, loss: Tensor, losses: Losses) -> None:
        """Note the losses of one step: their sum, and each by name."""
        values = [loss.detach(), *(each.detach() for each in losses.values())]
        self._unseen.append(torch.stack(values).float())
        self.names = ["loss", *losses]

    def values(self) -> Tensor:
        """Return all losses (steps, names) float32 on the CPU.

        Raises
        ------
        UserError
            One is no finite number; the message names epoch, step and loss.
        """
        if self._unseen:
            fresh = torch.stack(self._unseen).cpu()
            self._require_finite(fresh, sum(map(len, self._seen)))
            self._seen.append(fresh)
            self._unseen = []
        if not self._seen:
            return torch.empty(0, 0)
        if len(self._seen) > 1:
            self._seen = [torch.cat(self._seen)]
        return self._seen[0]

    @property
    def latest(self) -> float | None:
        """The summed loss of the last step that was looked at."""
        return float(self._seen[-1][-1, 0]) if self._seen else None

    def means(self) -> dict[str, float]:
        """Return the mean of each loss over the steps."""
        means = self.values().double().mean(dim=0).tolist()
        return dict(zip(self.names, means, strict=True))

    def _require_finite(self, values: Tensor, steps_before: int) -> None:
        broken = ~values.isfinite()
        if not broken.any():
            return
        step = int(broken.any(dim=1).int().argmax())
        broken_names = [name for name, bad in zip(self.names, broken[step], strict=True) if bad]
        named = broken_names[1] if len(broken_names) > 1 else broken_names[0]
        value = values[step][self.names.index(named)].item()
        raise UserError(
            f"the loss {named} became {'NaN' if math.isnan(value) else 'infinite'} in epoch "
            f"{self._epoch}, step {steps_before + step + 1}: lower the learning rate (`changes` or "
            "`scale.rate` in params.yaml), or look for broken images."
        )
