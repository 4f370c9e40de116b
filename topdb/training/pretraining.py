"""Pretraining of a backbone on people of its own, in the place that ImageNet has in the paper."""

from pathlib import Path

import torch
from torch import Tensor, nn

from topdb.datasets.index import Index
from topdb.datasets.pixels import Pixels
from topdb.files import write_csv
from topdb.methods.backbones import build_backbone
from topdb.methods.parts.network import ReIDNetwork, StreamOutput, initialise
from topdb.params import NetworkSettings, PretrainingSettings, TrainingSettings
from topdb.training.backbone_file import write_weights
from topdb.training.fit import fit
from topdb.training.images import resized
from topdb.training.progress import watching
from topdb.training.randomness import Randomness


class PooledBackbone(ReIDNetwork):
    """A backbone, average pooling, BN neck and classifier: no stream of any compared method."""

    def __init__(self, backbone: str, identities: int) -> None:
        super().__init__()
        self.backbone, channels = build_backbone(backbone)
        self.neck = nn.BatchNorm1d(channels)
        self.classifier = nn.Linear(channels, identities)

    def forward(self, images: Tensor, generator: torch.Generator) -> list[StreamOutput]:
        """Run the training pass; nothing is drawn from the generator."""
        pooled = self.backbone(images).mean(dim=(2, 3))
        return [StreamOutput("global", pooled, self.classifier(self.neck(pooled)))]

    def embed(self, images: Tensor) -> Tensor:
        """Return the neck's output (B, channels)."""
        embedded: Tensor = self.neck(self.backbone(images).mean(dim=(2, 3)))
        return embedded


def pretrain(
    index: Index,
    pixels: Pixels,
    network: NetworkSettings,
    start: PretrainingSettings,
    training: TrainingSettings,
    folder: Path,
) -> None:
    """Train a backbone and write `backbone.safetensors` and `history.csv` to `folder`.

    Raises
    ------
    UserError
        There are too few people for a batch, or a loss is no longer a finite number.
    """
    people = index.split("train")
    model = PooledBackbone(network.backbone, people.counts.people)
    randomness = Randomness(index.name, "pretraining", start.seed)
    initialise(model, randomness.torch("weights"))
    with watching("pretraining") as progress:
        epochs = fit(
            model,
            resized(pixels, people.rows, network),
            people.labels,
            training.model_copy(update={"epochs": start.epochs}),
            randomness,
            lambda epoch: None,
            progress=progress,
        )
    rows = [epoch.row() for epoch in epochs]
    write_csv(folder / "history.csv", list(rows[0]), rows)
    weights = model.backbone.cpu().to(memory_format=torch.contiguous_format).state_dict()
    write_weights(weights, folder / "backbone.safetensors")
