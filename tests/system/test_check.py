"""`topdb check` on real runs of the mini profile: sound ones pass, broken methods do not."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from system.conftest import ROOT

from topdb.config import PRETRAINING, Params, PretrainingSettings, Profile, load
from topdb.datasets.building import build_index
from topdb.datasets.index import Index, Pixels
from topdb.drawn.rendering import render
from topdb.evidence.drift import check_against_reference
from topdb.methods.parts.streams import StreamNetwork
from topdb.results.runs import runs
from topdb.runs.environment import prepare
from topdb.runs.evaluate import evaluate
from topdb.runs.pretraining import pretrain
from topdb.runs.train import train_run

DATASET, METHOD = "cuhk03-detected", "top-db-net"


@dataclass(frozen=True)
class Bench:
    """One cell of the mini profile, with its data and its pretrained backbone."""

    params: Params
    profile: Profile
    index: Index
    pixels: Pixels
    backbone: Path

    def drifted(self, index: Index, results: Path) -> tuple[bool, list[str]]:
        """Train the cell's runs on an index, and compare them with the committed reference."""
        for each in runs(self.profile):
            folder = each.folder(results)
            train_run(each, "mini", self.profile, index, self.pixels, self.backbone, folder)
            for ranking in self.profile.rankings:
                evaluate(
                    folder / "features.npz", ranking, self.profile.ranking, folder / ranking, 1
                )
        return check_against_reference(self.params, "mini", results)


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    folder = tmp_path_factory.mktemp("check")
    shipped = load(ROOT / "params.yaml")
    mini = shipped.selected("mini")
    profile = mini.model_copy(
        update={
            "methods": (METHOD,),
            "seeds": (1, 2),
            "datasets": {DATASET: mini.datasets[DATASET]},
        }
    )
    check = shipped.check.model_copy(update={"reference": ROOT / shipped.check.reference})
    params = shipped.model_copy(update={"profiles": {"mini": profile}, "check": check})
    prepare(profile.hardware.device, profile.hardware.threads)
    indexes = {}
    for name, dataset in profile.all_datasets().items():
        render(dataset.render, dataset.layout, folder / name)
        files = folder / f"{name}.parquet", folder / f"{name}.npy"
        indexes[name] = build_index(name, dataset.layout, folder / name, *files)
    pixels = {name: Pixels.open(folder / f"{name}.npy", each) for name, each in indexes.items()}
    assert isinstance(profile.start, PretrainingSettings)
    pretrain(indexes[PRETRAINING], pixels[PRETRAINING], profile, "small", folder)
    backbone = folder / "backbone.safetensors"
    return Bench(params, profile, indexes[DATASET], pixels[DATASET], backbone)


def test_sound_runs_stay_within_the_tolerance(bench, tmp_path):
    drifted, lines = bench.drifted(bench.index, tmp_path)
    assert not drifted, "\n".join(lines)
    assert sum(line.startswith("ok") and f"{DATASET}/{METHOD}/" in line for line in lines) >= 2


def test_shuffled_labels_are_found(bench, tmp_path):
    labels = bench.index.labels.copy()
    training = labels >= 0
    labels[training] = np.random.default_rng(0).permutation(labels[training])
    drifted, lines = bench.drifted(replace(bench.index, labels=labels), tmp_path)
    assert drifted
    assert any(line.startswith("DRIFTED") and METHOD in line for line in lines)


def test_a_drop_stream_that_drops_nothing_is_found(bench, tmp_path, monkeypatch):
    def nothing(self, refined, generator):
        return torch.ones_like(refined[:, :1, :, :1])

    monkeypatch.setattr(StreamNetwork, "drop_mask", nothing)
    drifted, lines = bench.drifted(bench.index, tmp_path)
    assert drifted, "\n".join(lines)
