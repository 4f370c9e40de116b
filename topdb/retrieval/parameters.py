"""The variants of k-reciprocal re-ranking, and its constants."""

from dataclasses import dataclass

from topdb.retrieval.checks import Features, checked_choice, checked_count

# What the squared Euclidean distance is raised to before its normalisation. torchreid's code
# squares the squared distances that it is given; the authors' own squares plain distances once.
# The distance that is summed over parts is raised to twice as much, since it is not squared.
POWER_OF_SQUARED_DISTANCE = {"torchreid": 2, "zhong2017": 1}
VARIANTS = tuple(POWER_OF_SQUARED_DISTANCE)


@dataclass(frozen=True)
class Parameters:
    """The variant of re-ranking and its constants; see `rerank`.

    Raises ValueError for one that can be right for no gallery.
    """

    variant: str = "torchreid"
    k1: int = 20
    k2: int = 6
    lambda_: float = 0.3

    def __post_init__(self) -> None:
        checked_choice("variant", self.variant, VARIANTS)
        checked_count("k1", self.k1)
        checked_count("k2", self.k2)
        if not 0 <= self.lambda_ <= 1:
            raise ValueError(f"lambda_ is {self.lambda_}; give a number in [0, 1].")

    @property
    def power(self) -> int:
        """What the squared distance is raised to before its normalisation."""
        return POWER_OF_SQUARED_DISTANCE[self.variant]

    def power_of_distances(self, features: Features) -> int:
        """What the distances that such features are ranked by are raised to."""
        return self.power if features.parts is None else 2 * self.power
