"""Where a run's files lie. No torch: commands that do without it ask, too."""

from dataclasses import dataclass
from pathlib import Path

CHECKPOINTS = "checkpoints"
"""The folder below a run's own for what the workflow does not know."""


@dataclass(frozen=True)
class RunFiles:
    """Where a run's files lie."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The network's last weights."""
        return self.folder / "weights.safetensors"

    @property
    def history(self) -> Path:
        """One row an epoch."""
        return self.folder / "history.csv"

    @property
    def features(self) -> Path:
        """Test features of query and gallery."""
        return self.folder / "features.npz"

    @property
    def snapshots(self) -> Path:
        """What query images activate and find at some epochs, where the profile chooses the run."""
        return self.folder / "snapshots.npz"

    @property
    def checkpoints(self) -> Path:
        """What a training keeps for itself."""
        return self.folder / CHECKPOINTS

    @property
    def record(self) -> Path:
        """`run.json`, written last: where it is, the run is whole."""
        return self.folder / "run.json"
