"""Pretrained backbones that are kept, so that every machine's runs start from the same bits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from topdb.config import PretrainingSettings, ScaleSettings
from topdb.errors import UserError
from topdb.files import digest, read_json, write_json

WEIGHTS = "backbone.safetensors"
HISTORY = "history.csv"
ABOUT = "pretraining.json"
"""What a pretraining leaves in its folder; `ABOUT` says of what it is."""


@dataclass(frozen=True)
class Pretraining:
    """What the weights of a pretraining depend on, but for the processor."""

    backbone: str
    settings: dict[str, Any]
    """The start's parameters, and what of the scale shapes the backbone and its images."""
    images: str
    """Digest of the index of its images, wherever they lie."""

    @classmethod
    def of(
        cls, backbone: str, start: PretrainingSettings, scale: ScaleSettings, images: str
    ) -> "Pretraining":
        """Return what a backbone's pretraining with these parameters is."""
        said = start.model_dump(mode="json", exclude={*start.WITHOUT_EFFECT, "dataset"})
        shape = scale.model_dump(mode="json", include={"size", "width"})
        return cls(backbone, {"start": said, "scale": shape}, images)

    def write(self, folder: Path) -> None:
        """Write `ABOUT` beside finished weights."""
        weights = digest(folder / WEIGHTS)
        about = {"backbone": self.backbone, "settings": self.settings, "images": self.images}
        write_json(folder / ABOUT, {**about, "weights": weights})

    def differs(self, folder: Path) -> str | None:
        """Return in what the weights kept in a folder are not of this pretraining; None: they are.

        Raises
        ------
        UserError
            The folder's files do not belong together, or one is missing.
        """
        about = read_json(folder / ABOUT)
        for file in (WEIGHTS, HISTORY):
            if not (folder / file).is_file():
                raise UserError(f"{folder} lacks {file}: restore it, or remove the folder.")
        if about.get("weights") != digest(folder / WEIGHTS):
            raise UserError(
                f"{folder / WEIGHTS} is not what {ABOUT} beside it tells of: restore both, or "
                "remove the folder."
            )
        if about.get("backbone") != self.backbone:
            return "backbone"
        if about.get("images") != self.images:
            return "images"
        return None if about.get("settings") == self.settings else "parameters"


def kept_digest(start: PretrainingSettings, backbone: str) -> str | None:
    """Return the digest of a backbone that is kept; None where none is."""
    path = start.kept / backbone / WEIGHTS if start.kept else None
    return digest(path) if path and path.is_file() else None
