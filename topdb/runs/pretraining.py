"""Pretraining of a backbone on people of its own, in the place that ImageNet has in the paper."""

from collections.abc import Mapping
from pathlib import Path
from shutil import copyfile
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from topdb.config import DivergenceSettings, PretrainingSettings, Profile, ScaleSettings
from topdb.datasets.index import Index, Pixels
from topdb.engine.batches import resized
from topdb.engine.divergence import Divergence
from topdb.engine.loop import fit
from topdb.engine.progress import watching
from topdb.engine.start import write_weights
from topdb.engine.state import Randomness
from topdb.files import replacing, write_csv
from topdb.methods import build
from topdb.methods.backbones import build_backbone
from topdb.methods.contract import Adam, Cosine, Losses, Method, Moment, Recipe
from topdb.methods.parts.augmentation import EnlargeAndCrop, Erase, Flip, Normalise
from topdb.methods.parts.losses import batch_hard_triplet
from topdb.results.kept import ABOUT, HISTORY, WEIGHTS, Pretraining

_SIZE = (256, 128)
"""Where the profile's scale names none."""


class PooledBackbone(Method):
    """A backbone, average pooling, BN neck and classifier: nothing of any compared method."""

    title = "Pretraining"
    recipes: ClassVar[Mapping[str, Recipe]] = {}

    def __init__(self, recipe: Recipe, scale: ScaleSettings, identities: int) -> None:
        super().__init__(recipe, scale, identities)
        self.backbone = build_backbone(recipe.options, scale)
        self.neck = nn.BatchNorm1d(self.backbone.channels)
        self.classifier = nn.Linear(self.backbone.channels, identities)

    def forward(
        self, images: Tensor, moment: Moment, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Run the training pass; nothing is drawn from the generator."""
        pooled = self.backbone(images).mean(dim=(2, 3))
        return {"features": pooled, "logits": self.classifier(self.neck(pooled))}

    def losses(
        self,
        outputs: dict[str, Tensor],
        people: Tensor,
        moment: Moment,
        generator: torch.Generator,
    ) -> Losses:
        """Return cross entropy with smoothed labels, and the batch-hard triplet loss."""
        return {
            "global_cross_entropy": cross_entropy(outputs["logits"], people, label_smoothing=0.1),
            "global_triplet": batch_hard_triplet(outputs["features"], people, margin=0.3),
        }

    def embed(self, images: Tensor) -> Tensor:
        """Return the neck's output (B, channels)."""
        embedded: Tensor = self.neck(self.backbone(images).mean(dim=(2, 3)))
        return embedded


def recipe(backbone: str, start: PretrainingSettings, size: tuple[int, int]) -> Recipe:
    """Return how a backbone is pretrained."""
    return Recipe(
        size=size,
        epochs=start.epochs,
        augmentation=(
            Flip(0.5),
            EnlargeAndCrop(0.5),
            Normalise(),
            # Drawn and never applied: without its draws the weights were others.
            Erase(0.0, fill=(0.4914, 0.4822, 0.4465)),
        ),
        rules={"network": Adam(start.rate)},
        schedule=Cosine(warmup=1.0),
        people=start.people,
        images=start.images,
        options=backbone,
    )


def take_kept(index: Index, profile: Profile, backbone: str, folder: Path) -> str | None:
    """Copy the backbone that the profile keeps to `folder`, with its history.

    Returns
    -------
    Why there was none to take, as a sentence; None where there was.

    Raises
    ------
    UserError
        What is kept is damaged.
    """
    start = profile.require_pretraining()
    if start.kept is None:
        return "The profile keeps no backbones (start.kept)."
    source = start.kept / backbone
    if not (source / ABOUT).is_file():
        return f"{source} keeps no backbone."
    wanted = Pretraining.of(backbone, start, profile.scale, index.digest)
    if other := wanted.differs(source):
        return f"{source} is of other {other} than the profile's."
    for name in (HISTORY, WEIGHTS):
        with replacing(folder / name) as partial:
            copyfile(source / name, partial)
    wanted.write(folder)
    return None


def pretrain(index: Index, pixels: Pixels, profile: Profile, backbone: str, folder: Path) -> None:
    """Train a backbone and write its weights, their history and what they are of to `folder`.

    Raises
    ------
    UserError
        The profile does not pretrain, there are too few people for a batch, or the training
        diverges.
    """
    start = profile.require_pretraining()
    people = index.split("train")
    chosen = recipe(backbone, start, profile.scale.size or _SIZE)
    model = build(PooledBackbone, chosen, people.counts.people, profile.scale)
    randomness = Randomness(index.name, "pretraining", start.seed)
    model.initialise(randomness.torch("weights"))
    with watching(f"pretraining {backbone}") as progress:
        epochs = fit(
            model,
            resized(pixels, people.rows, chosen.size),
            people.labels,
            profile.hardware,
            randomness,
            lambda epoch: None,
            progress=progress,
            # Every run starts from it, so that there is nothing to mark.
            divergence=Divergence(DivergenceSettings(factor=profile.divergence.factor, fails=True)),
        )
    rows = [epoch.row() for epoch in epochs]
    write_csv(folder / HISTORY, list(rows[0]), rows)
    trained = model.get_submodule("backbone")
    weights = trained.cpu().to(memory_format=torch.contiguous_format).state_dict()
    write_weights(weights, folder / WEIGHTS)
    Pretraining.of(backbone, start, profile.scale, index.digest).write(folder)
