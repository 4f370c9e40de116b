"""Whether a training went wrong by its own losses: the rule, and what is done about it."""

import math
from collections.abc import Mapping

from topdb.config import DivergenceSettings
from topdb.errors import UserError
from topdb.results.records import Diverged


class Divergence:
    """Looks at each epoch's losses, and remembers the first that no sound training has.

    A loss is out of bounds where its mean over an epoch is no finite number, or lies further from
    zero than `factor` times what all losses of the untrained network add up to. Those are the
    losses of a guess, in every stream and with every weight that a method gives them, for they are
    taken in the first step, before any weight has moved. At least one uniform guess over the
    classes is allowed for, as some losses begin at 0.

    Parameters
    ----------
    settings : None: nothing but a number that is not finite is out of bounds, and it fails
    """

    def __init__(self, settings: DivergenceSettings | None = None) -> None:
        self._factor = settings.factor if settings else math.inf
        self._fails = settings.fails if settings else True
        self.found: Diverged | None = None
        self.limit = math.inf

    @property
    def fails(self) -> bool:
        """Whether a training that goes wrong ends in an error."""
        return self._fails

    @property
    def ended(self) -> bool:
        """Whether a loss or a weight is no number, so that no further step can help."""
        return self.found is not None and not math.isfinite(self.found.value)

    def look(self, epoch: int, means: Mapping[str, float], untrained: float, classes: int) -> None:
        """Look at the means of an epoch's losses, by name.

        Raises
        ------
        UserError
            One is out of bounds, and the parameters say that such a training fails.
        """
        guess = math.log(max(2, classes))
        self.limit = self._factor * (max(untrained, guess) if math.isfinite(untrained) else guess)
        wild = {name: abs(each) for name, each in means.items() if not abs(each) <= self.limit}
        wild |= {name: math.inf for name, each in means.items() if not math.isfinite(each)}
        if wild:
            # Their sum is named where no single one is out of bounds.
            single = {name: size for name, size in wild.items() if name != "loss"} or wild
            what = max(single, key=lambda name: single[name])
            self.mark(epoch, what, means[what])

    def mark(self, epoch: int, what: str, value: float) -> None:
        """Remember what went wrong first, or that it ended the training.

        Raises
        ------
        UserError
            The parameters say that such a training fails.
        """
        value = value if math.isfinite(value) else math.nan
        limit = self.limit if math.isfinite(self.limit) else 0.0
        diverged = Diverged(epoch, what, value, limit)
        if self._fails:
            raise UserError(
                f"the training diverged, for {diverged}: lower the learning rate (`changes` or "
                "`scale.rate` in params.yaml), look for broken images, or let such runs be kept "
                "and marked (`divergence: {fails: false}`)."
            )
        if self.found is None or (not self.ended and math.isnan(value)):
            self.found = diverged
